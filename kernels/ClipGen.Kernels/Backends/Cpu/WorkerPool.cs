using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>A piece of parallel work: a struct with its arguments and one method.</summary>
public interface IParallelBody
{
    /// <summary>Does part <paramref name="index"/> of the work.</summary>
    void Execute(int index);
}

/// <summary>
/// Threads that wait for work by spinning briefly, then sleeping: a fork-join costs microseconds while ops follow each other,
/// and nothing while the program does something else. Parts are handed out one by one from a shared counter, so a slow core takes fewer.
/// </summary>
public sealed unsafe class WorkerPool : IDisposable
{
    private const int SpinsBeforeSleep = 4000;
    private readonly Thread[] workers;
    private readonly SemaphoreSlim wake = new(0);
    private readonly Lock oneJobAtATime = new();
    private delegate*<void*, int, void> invoke;
    private void* state;
    private int partCount;
    private volatile int generation;
    private volatile bool stopping;
    private PaddedCounters counters;
    private Exception? failure;

    /// <summary>Starts <paramref name="threads"/> − 1 workers; the caller of <see cref="Run"/> is the last one.</summary>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        workers = new Thread[threads - 1];
        for (var i = 0; i < workers.Length; i++)
        {
            workers[i] = new Thread(Loop) { IsBackground = true, Name = $"clipgen-worker-{i + 1}" };
            workers[i].Start();
        }
    }

    /// <summary>Threads that share the work, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs parts 0 … count − 1 of <paramref name="body"/> on all threads and returns when all are done. Parts may run in any order, so they must not depend on each other. Not re-entrant from inside a part.</summary>
    /// <exception cref="AggregateException">A part threw; the first failure is inside.</exception>
    public void Run<TBody>(int count, ref TBody body) where TBody : struct, IParallelBody
    {
        if (count <= 0) return;
        if (count == 1 || workers.Length == 0)
        {
            for (var i = 0; i < count; i++) body.Execute(i);
            return;
        }
        lock (oneJobAtATime)
        {
            // The body stays on this stack frame until every worker has let go of it.
            invoke = &Invoke<TBody>;
            state = Unsafe.AsPointer(ref body);
            partCount = count;
            failure = null;
            counters.Next = 0;
            counters.Busy = workers.Length;
            Interlocked.Increment(ref generation);
            var asleep = Volatile.Read(ref counters.Asleep);
            if (asleep > 0) wake.Release(asleep);
            Work();
            var spinner = new SpinWait();
            while (Volatile.Read(ref counters.Busy) != 0)
                spinner.SpinOnce(sleep1Threshold: -1);
            if (failure is not null) throw new AggregateException(failure);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (stopping) return;
        stopping = true;
        Interlocked.Increment(ref generation);
        wake.Release(Math.Max(1, workers.Length));
        foreach (var worker in workers) worker.Join();
        wake.Dispose();
    }

    private static void Invoke<TBody>(void* state, int index) where TBody : struct, IParallelBody =>
        Unsafe.AsRef<TBody>(state).Execute(index);

    private void Work()
    {
        try
        {
            int index;
            while ((index = Interlocked.Increment(ref counters.Next) - 1) < partCount)
                invoke(state, index);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref failure, exception, null);
            Volatile.Write(ref counters.Next, partCount);
        }
    }

    private void Loop()
    {
        var seen = 0;
        while (true)
        {
            var spins = 0;
            while (generation == seen)
            {
                if (++spins < SpinsBeforeSleep)
                {
                    Thread.SpinWait(8);
                    continue;
                }
                // Announce the sleep first, then look again: either this thread sees the new job, or the job's owner sees the sleeper.
                Interlocked.Increment(ref counters.Asleep);
                if (generation == seen) wake.Wait();
                Interlocked.Decrement(ref counters.Asleep);
                spins = 0;
            }
            seen = generation;
            if (stopping) return;
            Work();
            Interlocked.Decrement(ref counters.Busy);
        }
    }

    /// <summary>The counters on cache lines of their own.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedCounters
    {
        [System.Runtime.InteropServices.FieldOffset(64)] public int Next;
        [System.Runtime.InteropServices.FieldOffset(128)] public int Busy;
        [System.Runtime.InteropServices.FieldOffset(192)] public int Asleep;
    }
}
