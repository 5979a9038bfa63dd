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
    /// <exception cref="DataException">The dataset has fewer pictures than a batch.</exception>
    public TrainingData(DatasetSplit split, int side, int batch, ulong seed, bool overfit, Action<string> warn)
    {
        (train, Validation, Side, this.overfit, this.warn) = (split.Train, split.Validation, side, overfit, warn);
        crop = PictureCrop.Random(side, seed);
        plan = new BatchPlan(train.Count, batch, seed);
    }

    /// <summary>What to train on.</summary>
    public IPictureDataset Train => train;

    /// <summary>What to validate on, or null.</summary>
    public IPictureDataset? Validation { get; }

    /// <summary>Side of the crops.</summary>
    public int Side { get; }

    /// <summary>Pictures of a batch.</summary>
    public int Batch => plan.Batch;

    /// <summary>Batches of an epoch.</summary>
    public long BatchesPerEpoch => plan.StepsPerEpoch;

    /// <summary>The batch of a place in the run; batches made ahead serve runs that go on in order.</summary>
    /// <exception cref="DataException">No picture of the dataset can be read.</exception>
    public PictureBatch At(long epoch, long step, CancellationToken cancellation)
    {
        if (overfit) return only ??= Loaded(0, 0, cancellation);
        return Loaded(epoch, step, cancellation);
    }

    /// <summary>The validation pictures in batches, centre crops, the same ones each time.</summary>
    /// <param name="most">Pictures at most.</param>
    /// <param name="cancellation">Ends waiting.</param>
    public IEnumerable<PictureBatch> ValidationBatches(long most, CancellationToken cancellation)
    {
        if (Validation is null) yield break;
        var sequence = BatchPlan.Sequential(Validation.Count, Batch);
        using var batches = new BatchLoader(Validation, sequence, PictureCrop.Centre(Side), reportUnreadable: warn);
        var given = 0L;
        for (var step = 0L; step < sequence.StepsPerEpoch && given < most; step++)
        {
            var batch = batches.Next(cancellation);
            given += batch.Pictures.Length;
            yield return batch;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => loader?.Dispose();

    private PictureBatch Loaded(long epoch, long step, CancellationToken cancellation)
    {
        if (loader is null || next != (epoch, step))
        {
            loader?.Dispose();
            loader = new BatchLoader(train, plan, crop, epoch, step, reportUnreadable: warn);
        }
        var batch = loader.Next(cancellation);
        next = step + 1 < plan.StepsPerEpoch ? (epoch, step + 1) : (epoch + 1, 0);
        return batch;
    }
}
