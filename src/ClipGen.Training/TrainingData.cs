using ClipGen.Data;
using ClipGen.Data.Datasets;

namespace ClipGen.Training;

/// <summary>The batches of a run: what a step sees follows from (seed, epoch, step) alone, wherever the run begins.</summary>
public sealed class TrainingData : IDisposable
{
    private readonly IPictureDataset train;
    private readonly PictureCrop crop;
    private readonly BatchPlan plan;
    private readonly bool overfit;
    private readonly Action<string> warn;
    private readonly HashSet<string> unreadable = [];
    private BatchLoader? loader;
    private PictureBatch? only;
    private (long Epoch, long Step) next;

    /// <summary>Batches of a dataset.</summary>
    /// <param name="split">What to train and to validate on.</param>
    /// <param name="side">Side of the square crops in pixels.</param>
    /// <param name="batch">Pictures of a batch.</param>
    /// <param name="seed">Decides order and crops.</param>
    /// <param name="overfit">Give the first batch again and again.</param>
    /// <param name="warn">Is told of pictures that can't be read.</param>
    /// <exception cref="DataException">The dataset has fewer pictures than a batch, a batch would tear apart what belongs together, nothing is left to validate on, or no picture of either part can be read.</exception>
    public TrainingData(DatasetSplit split, int side, int batch, ulong seed, bool overfit, Action<string> warn)
    {
        (train, Side, this.overfit, this.warn) = (split.Train, side, overfit, warn);
        crop = PictureCrop.Random(side, seed);
        plan = new BatchPlan(train.Count, batch, seed, train.Together);
        // What would end a run at its first validation, after an epoch of work, ends it here.
        Validation = split.Validation ?? throw new DataException($"{train.Name}: a single picture leaves nothing to validate on; give more pictures");
        RequireReadable(train, "", "");
        RequireReadable(Validation, " to validate on", "; give a larger --val-share");
    }

    /// <summary>Pictures that could not be read so far; others took their places.</summary>
    public int UnreadableCount => unreadable.Count;

    /// <summary>What to train on.</summary>
    public IPictureDataset Train => train;

    /// <summary>What to validate on.</summary>
    public IPictureDataset Validation { get; }

    /// <summary>Side of the crops.</summary>
    public int Side { get; }

    /// <summary>Pictures of a batch.</summary>
    public int Batch => plan.Batch;

    /// <summary>Batches of an epoch.</summary>
    public long BatchesPerEpoch => plan.StepsPerEpoch;

    /// <summary>Steps of an epoch when every step takes several batches.</summary>
    /// <exception cref="DataException">An epoch has fewer batches than a step.</exception>
    public long StepsPerEpoch(int accumulate)
    {
        // The one batch of an overfitted run serves for any number.
        if (BatchesPerEpoch >= accumulate || overfit) return Math.Max(1, BatchesPerEpoch / accumulate);
        throw new DataException($"{train.Name}: an epoch has {BatchesPerEpoch} batches of {Batch}, too few for a step of {accumulate}; give --accumulate {BatchesPerEpoch} or less, or a smaller --bs");
    }

    /// <summary>The batch of a place in the run; batches made ahead serve runs that go on in order.</summary>
    /// <exception cref="DataException">No picture of the dataset can be read.</exception>
    public PictureBatch At(long epoch, long step, CancellationToken cancellation)
    {
        if (overfit) return only ??= Loaded(0, 0, cancellation);
        return Loaded(epoch, step, cancellation);
    }

    /// <summary>Which pictures the batch of a place holds, without loading one; of those that can't be read, too, whose place another takes in <see cref="At"/>.</summary>
    public long[] IndicesAt(long epoch, long step) => overfit ? plan.Indices(0, 0) : plan.Indices(epoch, step);

    /// <summary>The validation pictures in batches, centre crops, the same ones each time.</summary>
    /// <param name="most">Pictures at most.</param>
    /// <param name="cancellation">Ends waiting.</param>
    public IEnumerable<PictureBatch> ValidationBatches(long most, CancellationToken cancellation)
    {
        var sequence = BatchPlan.Sequential(Validation.Count, Batch);
        using var batches = new BatchLoader(Validation, sequence, PictureCrop.Centre(Side), reportUnreadable: WarnOnce);
        var given = 0L;
        for (var step = 0L; step < sequence.StepsPerEpoch && given < most; step++)
        {
            var batch = batches.Next(cancellation);
            given += batch.Pictures.Length;
            yield return batch;
        }
    }

    /// <summary>The first training pictures as centre crops: one batch for a preview.</summary>
    /// <param name="count">Pictures, at most as many as there are.</param>
    /// <param name="cancellation">Ends waiting.</param>
    public PictureBatch FirstOfTraining(int count, CancellationToken cancellation)
    {
        using var pictures = new BatchLoader(train, BatchPlan.Sequential(train.Count, (int)Math.Min(count, train.Count)), PictureCrop.Centre(Side), depth: 1, reportUnreadable: WarnOnce);
        return pictures.Next(cancellation);
    }

    /// <summary>Every training picture once, in batches of centre crops.</summary>
    public BatchLoader All(BatchPlan sequence) => new(train, sequence, PictureCrop.Centre(Side), reportUnreadable: WarnOnce);

    /// <inheritdoc/>
    public void Dispose() => loader?.Dispose();

    private PictureBatch Loaded(long epoch, long step, CancellationToken cancellation)
    {
        if (loader is null || next != (epoch, step))
        {
            loader?.Dispose();
            loader = new BatchLoader(train, plan, crop, epoch, step, reportUnreadable: WarnOnce);
        }
        var batch = loader.Next(cancellation);
        next = step + 1 < plan.StepsPerEpoch ? (epoch, step + 1) : (epoch + 1, 0);
        return batch;
    }

    // Each validation reads its pictures anew, and would tell of the same ones again. By name, for the reason's words can differ: libvips has one buffer of messages for all threads.
    private void WarnOnce(string name, string message)
    {
        if (unreadable.Add(name)) warn(message);
    }

    private static void RequireReadable(IPictureDataset pictures, string purpose, string advice)
    {
        string? first = null;
        for (var i = 0L; i < pictures.Count; i++)
        {
            try
            {
                pictures.Load(i);
                return;
            }
            catch (DataException e)
            {
                first ??= e.Message;
            }
        }
        throw new DataException($"{pictures.Name}: none of the {pictures.Count:N0} pictures{purpose} can be read; the first of them: {first}{advice}");
    }
}
