namespace ClipGen.Kernels;

/// <summary>
/// Everything a device can compute: the sum of the ops' own small interfaces, and memory.
/// Adding an op adds one line here; the compiler then names every backend and wrapper that lacks it.
/// </summary>
public interface IBackend : IDeviceAllocator,
    IMatMul, IConv2d, IPooling, IResample,
    ILayerNorm, IGroupNorm, IBatchNorm,
    IAttention, ISoftmax, ICrossEntropy, IL2Normalize, IReduce,
    IElementwise, IDropout, IEmbedding, ILayout,
    IVectorQuantize, ISampling, IRandom, IAdam
{
    /// <summary>Name for messages and results: <c>reference</c>, <c>cpu</c>.</summary>
    string Name { get; }
}

/// <summary>Memory of a device, with counters that are always on.</summary>
public interface IDeviceAllocator : IDisposable
{
    /// <summary>Uninitialised memory of at least <paramref name="byteLength"/> bytes, 64-byte aligned.</summary>
    /// <exception cref="DeviceMemoryException">The device has no such amount left; the message says how much is live.</exception>
    DeviceMemory Allocate(long byteLength);

    /// <summary>Copies host data to the device.</summary>
    void Upload<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged;

    /// <summary>Copies device data to the host, after all work queued before it.</summary>
    void Download<T>(View<T> source, Span<T> destination) where T : unmanaged;

    /// <summary>Copies within the device, in order with all other work.</summary>
    /// <exception cref="ArgumentException">The destination is shorter than the source.</exception>
    void Copy<T>(View<T> source, View<T> destination) where T : unmanaged;

    /// <summary>Whether calls come back before their work is done.</summary>
    bool WorksLater { get; }

    /// <summary>Waits until everything asked for so far is done. What computes at once has nothing to wait for.</summary>
    void Synchronize();

    /// <summary>
    /// Notes what <paramref name="work"/> asks of the device, to do it again and again at the cost of asking once. It is called once and nothing is computed meanwhile, so it may neither upload nor wait,
    /// and its sizes must not depend on data. It may allocate; what it doesn't free lives as always, what it frees is the recording's until that is freed.
    /// </summary>
    /// <returns>The recording, or null, without a call, where asking costs nothing to speak of.</returns>
    IRecordedWork? Record(Action work);

    /// <summary>Bytes handed out and not given back, and their maximum since the last reset.</summary>
    MemoryCounters Memory { get; }

    /// <summary>Starts a new peak at what is live now.</summary>
    void ResetPeak();

    /// <summary>Bytes of freed blocks that are kept for reuse, a quarter of a GiB unless set; what is beyond goes back to the system. A training, whose steps ask for the same blocks again and again, keeps them all.</summary>
    long PoolLimit { get; set; }

    /// <summary>Gives blocks that the pool keeps for reuse back to the system.</summary>
    void Trim();
}

/// <summary>Work of a device, noted to be repeated. Free it to free the memory it works in.</summary>
public interface IRecordedWork : IDisposable
{
    /// <summary>Does it, on the tensors it was recorded with.</summary>
    void Run();
}

/// <summary>Device memory in use.</summary>
/// <param name="LiveBytes">Bytes handed out now.</param>
/// <param name="PeakBytes">Largest value of <paramref name="LiveBytes"/> since the last reset.</param>
/// <param name="LiveBlocks">Blocks handed out now.</param>
public readonly record struct MemoryCounters(long LiveBytes, long PeakBytes, long LiveBlocks);

/// <summary>A device ran out of memory.</summary>
public sealed class DeviceMemoryException(string message) : Exception(message);
