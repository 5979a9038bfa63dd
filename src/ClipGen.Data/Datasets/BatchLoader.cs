using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace ClipGen.Data.Datasets;

/// <summary>
/// Batches in the order of their plan, epoch after epoch without end, made ahead of the step by worker threads: decoded, resized, cropped. What a batch holds
/// does not depend on the number of threads, on how far they are ahead, or on the step that loading starts at. A picture that
/// cannot be read is replaced by the next readable one of the dataset.
/// </summary>
public sealed class BatchLoader : IDisposable
{
    private readonly IPictureDataset dataset;
    private readonly BatchPlan plan;
    private readonly PictureCrop crop;
    private readonly int depth;
    private readonly Action<string, string>? reportUnreadable;
    private readonly Thread[] workers;

    // Why a picture cannot be read, so that it is tried once only. Whether it can does not depend on who asks: results stay the same.
    private readonly ConcurrentDictionary<long, string> unreadable = new();
    private readonly HashSet<long> reported = [];

    // Everything below is guarded by the gate. Batches are numbered from the first epoch's first step.
    private readonly object gate = new();
    private readonly Dictionary<long, Made> made = [];
    private long nextToMake, nextToGive;
    private bool stopped;

    /// <summary>Starts loading.</summary>
    /// <param name="dataset">Where pictures come from.</param>
    /// <param name="plan">Which pictures make a batch.</param>
    /// <param name="crop">How they become squares.</param>
    /// <param name="epoch">The epoch of the first batch.</param>
    /// <param name="step">The step of the first batch.</param>
    /// <param name="threads">Worker threads; 0 is two, or one on a machine with one core.</param>
    /// <param name="depth">Batches that are made before they are asked for.</param>
    /// <param name="reportUnreadable">Is told once of each picture that cannot be read, its name and why, in the order of the batches, by the thread that takes them.</param>
    /// <exception cref="ArgumentException">The plan is for another number of pictures.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public BatchLoader(
        IPictureDataset dataset, BatchPlan plan, PictureCrop crop, long epoch = 0, long step = 0, int threads = 0, int depth = 4,
        Action<string, string>? reportUnreadable = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(crop);
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(step, plan.StepsPerEpoch);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        if (plan.Count != dataset.Count)
            throw new ArgumentException($"the plan is for {plan.Count:N0} pictures, {dataset.Name} has {dataset.Count:N0}");
        (this.dataset, this.plan, this.crop, this.depth, this.reportUnreadable) = (dataset, plan, crop, depth, reportUnreadable);
        nextToMake = nextToGive = checked(epoch * plan.StepsPerEpoch + step);
        if (threads == 0) threads = Math.Min(Environment.ProcessorCount, 2);
        workers = new Thread[threads];
        for (var i = 0; i < threads; i++)
        {
            workers[i] = new Thread(Work) { IsBackground = true, Name = $"batch loader {i + 1}" };
            workers[i].Start();
        }
    }

    /// <summary>Pictures that could not be read, of the batches given so far.</summary>
    public int UnreadableCount => reported.Count;

    /// <summary>The next batch; waits until it is made. Not for several threads at once.</summary>
    /// <exception cref="DataException">No picture of the dataset can be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the batch can be asked for again.</exception>
    /// <exception cref="ObjectDisposedException">The loader is disposed.</exception>
    public PictureBatch Next(CancellationToken cancellation = default)
    {
        Made next;
        using (cancellation.Register(Wake))
        {
            lock (gate)
            {
                while (true)
                {
                    ObjectDisposedException.ThrowIf(stopped, this);
                    cancellation.ThrowIfCancellationRequested();
                    if (made.TryGetValue(nextToGive, out next!)) break;
                    Monitor.Wait(gate);
                }
                // A failure stays: asking again fails again.
                if (next.Failure is null)
                {
                    made.Remove(nextToGive++);
                    Monitor.PulseAll(gate);
                }
            }
        }
        next.Failure?.Throw();
        foreach (var index in next.Unreadable)
            if (reported.Add(index))
                reportUnreadable?.Invoke(dataset.NameOf(index), unreadable[index]);
        return next.Batch!;
    }

    /// <summary>Ends the worker threads; waits for the pictures that they are decoding.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            stopped = true;
            made.Clear();
            Monitor.PulseAll(gate);
        }
        foreach (var worker in workers) worker.Join();
    }

    private void Wake()
    {
        lock (gate) Monitor.PulseAll(gate);
    }

    private void Work()
    {
        while (true)
        {
            long number;
            lock (gate)
            {
                while (!stopped && nextToMake >= nextToGive + depth) Monitor.Wait(gate);
                if (stopped) return;
                number = nextToMake++;
            }
            var failed = new List<long>();
            Made result;
            try
            {
                result = new Made(Make(number, failed), failed, null);
            }
            catch (Exception e)
            {
                // Whatever happened is the business of the thread that asks for the batch.
                result = new Made(null, failed, ExceptionDispatchInfo.Capture(e));
            }
            lock (gate)
            {
                if (stopped) return;
                made.Add(number, result);
                Monitor.PulseAll(gate);
            }
        }
    }

    private PictureBatch Make(long number, List<long> failed)
    {
        var (epoch, step) = Math.DivRem(number, plan.StepsPerEpoch);
        var indices = plan.Indices(epoch, step);
        var pictures = new Picture[indices.Length];
        for (var slot = 0; slot < indices.Length; slot++) (indices[slot], pictures[slot]) = LoadFrom(indices[slot], epoch, step, slot, failed);
        return new PictureBatch(epoch, step, indices, pictures);
    }

    // The picture, or the first one after it that can be read.
    private (long Index, Picture Picture) LoadFrom(long first, long epoch, long step, int slot, List<long> failed)
    {
        for (var k = 0L; k < dataset.Count; k++)
        {
            if (Volatile.Read(ref stopped)) throw new ObjectDisposedException(nameof(BatchLoader));
            var index = (first + k) % dataset.Count;
            if (!unreadable.ContainsKey(index))
            {
                try
                {
                    return (index, crop.Apply(dataset.Load(index), epoch, step, slot));
                }
                catch (DataException e)
                {
                    var name = dataset.NameOf(index);
                    unreadable[index] = e.Message.StartsWith(name, StringComparison.Ordinal) ? e.Message : $"{name}: {e.Message}";
                }
            }
            failed.Add(index);
        }
        throw new DataException($"{dataset.Name}: none of the {dataset.Count:N0} pictures can be read; the first of them: {unreadable[first]}");
    }

    private sealed record Made(PictureBatch? Batch, List<long> Unreadable, ExceptionDispatchInfo? Failure);
}
