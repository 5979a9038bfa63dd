namespace ClipGen.Data.Datasets;

/// <summary>
/// Which pictures make which batch: a pure function of (seed, epoch, step). Each epoch has an order of its own, in which every picture comes at most
/// once; what does not fill a batch at the end is left out of that epoch.
/// </summary>
public sealed class BatchPlan
{
    // The halves of a permuted number are 31 bits at most.
    private const long LargestCount = 1L << 62;

    private readonly ulong seed;
    private readonly bool shuffled;
    private readonly int together = 1;

    /// <summary>A plan for training.</summary>
    /// <param name="count">Pictures of the dataset.</param>
    /// <param name="batch">Pictures of a batch.</param>
    /// <param name="seed">Decides the order.</param>
    /// <param name="together">Neighbours that stay side by side, in their order; a divisor of the batch. What does not fill such a group at the end is never taken.</param>
    /// <exception cref="DataException">There are fewer pictures than a batch has, or a batch is no multiple of what stays together.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or the count above 2^62.</exception>
    public BatchPlan(long count, int batch, ulong seed, int together = 1)
        : this(count, batch, seed, shuffled: true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(together, 1);
        if (batch % together != 0) throw new DataException($"a batch of {batch:N0} pictures can't be made of groups of {together}: give a --bs that is a multiple of {together}");
        this.together = together;
        if (count < batch)
            throw new DataException($"the dataset has {count:N0} {(count == 1 ? "picture" : "pictures")}, fewer than a batch of {batch:N0}: give --bs {count} or less, or more pictures");
        StepsPerEpoch = count / batch;
    }

    private BatchPlan(long count, int batch, ulong seed, bool shuffled)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, LargestCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        (Count, Batch, this.seed, this.shuffled) = (count, batch, seed, shuffled);
        StepsPerEpoch = (count - 1) / batch + 1;
    }

    /// <summary>Pictures of the dataset.</summary>
    public long Count { get; }

    /// <summary>Pictures of a batch.</summary>
    public int Batch { get; }

    /// <summary>Batches of an epoch, at least one.</summary>
    public long StepsPerEpoch { get; }

    /// <summary>A plan for validation: all pictures in their own order, the same each epoch; the last batch may be smaller.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or the count above 2^62.</exception>
    public static BatchPlan Sequential(long count, int batch) => new(count, batch, 0, shuffled: false);

    /// <summary>The pictures of a batch.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The epoch is negative, or there is no such step in an epoch.</exception>
    public long[] Indices(long epoch, long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(step, StepsPerEpoch);
        var first = step * Batch;
        var indices = new long[Math.Min(Batch, Count - first)];
        var order = new IndexPermutation(Count / together, shuffled ? new CounterRandom(seed, DataRandomPurpose.Order, epoch).NextKey() : 0);
        for (var i = 0; i < indices.Length; i++) indices[i] = shuffled ? order[(first + i) / together] * together + i % together : first + i;
        return indices;
    }
}
