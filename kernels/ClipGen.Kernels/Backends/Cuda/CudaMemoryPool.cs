using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace ClipGen.Kernels;

/// <summary>A block of a CUDA device's memory.</summary>
internal sealed class CudaMemory(CudaMemoryPool owner, MemoryBuffer1D<byte, Stride1D.Dense> buffer, long byteLength) : DeviceMemory
{
    private MemoryBuffer1D<byte, Stride1D.Dense>? buffer = buffer;

    /// <inheritdoc/>
    public override long ByteLength => byteLength;

    /// <summary>The whole block.</summary>
    public ArrayView<byte> Bytes => (buffer ?? throw new ObjectDisposedException(nameof(DeviceMemory), "this memory was freed; is a tensor used after its scope ended?")).View.BaseView;

    /// <inheritdoc/>
    public override void Dispose()
    {
        var freed = Interlocked.Exchange(ref buffer, null);
        if (freed is not null) owner.Return(freed);
    }
}

/// <summary>
/// Memory of a CUDA device, reused by size class. All work of a backend is in one stream, so a block that is handed out again is written only after everything that read it before: nothing has
/// to wait when a block is freed.
/// </summary>
internal sealed class CudaMemoryPool(Accelerator accelerator) : IDisposable
{
    private readonly Lock gate = new();
    private readonly CudaFreeBlocks free = new();
    private CudaFreeBlocks? recorded;
    private long live, peak, blocks, pooled;
    private bool disposed;

    /// <summary>Bytes that are kept for reuse; on a card all are, for a new block there costs a wait for the whole device.</summary>
    public long Limit { get; set; } = long.MaxValue;

    /// <summary>What is in use.</summary>
    public MemoryCounters Counters
    {
        get
        {
            lock (gate) return new MemoryCounters(live, peak, blocks);
        }
    }

    /// <summary>Uninitialised memory.</summary>
    /// <exception cref="DeviceMemoryException">The device has no such amount left, not even after the pool was emptied.</exception>
    public DeviceMemory Allocate(long byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        var size = SizeClass(byteLength);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (recorded is not null && recorded.TryTake(size, out var buffer)) return new CudaMemory(this, buffer, byteLength);
            if (free.TryTake(size, out buffer)) pooled -= size;
            else buffer = New(size) ?? throw new DeviceMemoryException($"{accelerator.Name} is out of memory: {byteLength:N0} bytes asked for, {live:N0} bytes in {blocks} blocks are live (peak {peak:N0}) of {accelerator.MemorySize:N0}; use a smaller batch");
            live += size;
            blocks++;
            peak = Math.Max(peak, live);
            return new CudaMemory(this, buffer, byteLength);
        }
    }

    /// <summary>Takes a block back.</summary>
    public void Return(MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        lock (gate)
        {
            if (recorded is not null)
            {
                recorded.Add(buffer);
                return;
            }
            live -= buffer.Length;
            blocks--;
            if (!disposed && pooled + buffer.Length <= Limit)
            {
                free.Add(buffer);
                pooled += buffer.Length;
                return;
            }
        }
        accelerator.Synchronize();
        buffer.Dispose();
    }

    /// <summary>From here on, what is given back is kept for what is asked for next, and for nobody else: work that is recorded computes there whenever it is repeated. It counts as live.</summary>
    public void BeginRecording()
    {
        lock (gate) recorded = new CudaFreeBlocks();
    }

    /// <summary>Ends that, and hands out the blocks that the recorded work needs for itself.</summary>
    public CudaFreeBlocks EndRecording()
    {
        lock (gate)
        {
            var kept = recorded!;
            recorded = null;
            return kept;
        }
    }

    /// <summary>Takes back what <see cref="EndRecording"/> handed out.</summary>
    public void Return(CudaFreeBlocks kept)
    {
        while (kept.TryTake(out var buffer)) Return(buffer);
    }

    /// <summary>Starts a new peak.</summary>
    public void ResetPeak()
    {
        lock (gate) peak = live;
    }

    /// <summary>Frees what is kept for reuse; nothing may be running that uses it.</summary>
    public void Trim()
    {
        lock (gate)
        {
            while (free.TryTake(out var buffer)) buffer.Dispose();
            pooled = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate) disposed = true;
        accelerator.Synchronize();
        Trim();
    }

    private MemoryBuffer1D<byte, Stride1D.Dense>? New(long size)
    {
        for (var emptied = false; ; emptied = true)
        {
            try
            {
                return accelerator.Allocate1D<byte>(size);
            }
            catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
            {
                if (emptied) return null;
                accelerator.Synchronize();
                Trim();
            }
        }
    }

    // Powers of two up to a megabyte, then whole megabytes: few classes, so that blocks of one layer serve the next.
    private static long SizeClass(long bytes)
    {
        const long megabyte = 1 << 20;
        return bytes switch
        {
            <= 256 => 256,
            <= megabyte => (long)BitOperations.RoundUpToPowerOf2((ulong)bytes),
            _ => (bytes + megabyte - 1) / megabyte * megabyte,
        };
    }
}

/// <summary>Blocks by size, the last that was added first.</summary>
internal sealed class CudaFreeBlocks
{
    private readonly Dictionary<long, Stack<MemoryBuffer1D<byte, Stride1D.Dense>>> stacks = [];

    /// <summary>Adds a block.</summary>
    public void Add(MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        if (!stacks.TryGetValue(buffer.Length, out var stack)) stacks[buffer.Length] = stack = [];
        stack.Push(buffer);
    }

    /// <summary>Takes one of a size out.</summary>
    public bool TryTake(long size, [MaybeNullWhen(false)] out MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        buffer = null;
        return stacks.TryGetValue(size, out var stack) && stack.TryPop(out buffer);
    }

    /// <summary>Takes any out.</summary>
    public bool TryTake([MaybeNullWhen(false)] out MemoryBuffer1D<byte, Stride1D.Dense> buffer)
    {
        foreach (var stack in stacks.Values)
            if (stack.TryPop(out buffer)) return true;
        buffer = null;
        return false;
    }
}
