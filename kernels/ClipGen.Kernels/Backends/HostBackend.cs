using System.Runtime.InteropServices;

namespace ClipGen.Kernels;

/// <summary>Memory shared by the backends that compute in the host's own memory: aligned blocks, reused through a pool by exact size class.</summary>
/// <param name="wide">Reals are stored as doubles (the reference's gradient checks); the memory of ints is then larger than it needs to be.</param>
public abstract unsafe class HostBackend(bool wide = false) : IDeviceAllocator
{
    private readonly Lock gate = new();
    private readonly Dictionary<long, Stack<nint>> free = [];
    private long live, peak, blocks, pooled;
    private bool disposed;

    /// <summary>Name for messages and results.</summary>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public MemoryCounters Memory
    {
        get
        {
            lock (gate) return new MemoryCounters(live, peak, blocks);
        }
    }

    /// <inheritdoc/>
    public long PoolLimit { get; set; } = 256L << 20;

    /// <inheritdoc/>
    public DeviceMemory Allocate(long byteLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        var size = SizeClass(wide ? checked(2 * byteLength) : byteLength);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            nint pointer = 0;
            if (free.TryGetValue(size, out var stack) && stack.Count > 0)
            {
                pointer = stack.Pop();
                pooled -= size;
            }
            else
            {
                try
                {
                    pointer = (nint)LargePages.Allocate((nuint)size);
                }
                catch (OutOfMemoryException)
                {
                    throw new DeviceMemoryException($"out of memory: {byteLength:N0} bytes asked for, {live:N0} bytes in {blocks} blocks are live (peak {peak:N0}); use a smaller batch");
                }
            }
            live += size;
            blocks++;
            peak = Math.Max(peak, live);
            return new HostMemory(this, pointer, size, byteLength, wide);
        }
    }

    /// <inheritdoc/>
    public void Upload<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged
    {
        if (typeof(T) == typeof(float) && IsWide(destination))
        {
            var to = (double*)ElementAddress(destination);
            var from = MemoryMarshal.Cast<T, float>(source);
            for (var i = 0; i < from.Length; i++) to[i] = from[i];
            return;
        }
        source.CopyTo(Span(destination));
    }

    /// <inheritdoc/>
    public void Download<T>(View<T> source, Span<T> destination) where T : unmanaged
    {
        if (typeof(T) == typeof(float) && IsWide(source))
        {
            var from = (double*)ElementAddress(source);
            var to = MemoryMarshal.Cast<T, float>(destination);
            for (var i = 0; i < checked((int)source.Length); i++) to[i] = (float)from[i];
            return;
        }
        Span(source).CopyTo(destination);
    }

    /// <inheritdoc/>
    public void Copy<T>(View<T> source, View<T> destination) where T : unmanaged
    {
        Arguments.Length(destination, source.Length);
        if (source.Length == 0) return;
        var bytes = source.Length * (typeof(T) == typeof(float) && IsWide(source) ? sizeof(double) : sizeof(T));
        Buffer.MemoryCopy(ElementAddress(source), ElementAddress(destination), bytes, bytes);
    }

    /// <inheritdoc/>
    public IRecordedWork? Record(Action work) => null;

    /// <inheritdoc/>
    public void ResetPeak()
    {
        lock (gate) peak = live;
    }

    /// <inheritdoc/>
    public bool WorksLater => false;

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public void Trim()
    {
        lock (gate) FreePool();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed) return;
            disposed = true;
            FreePool();
        }
        DisposeWorkers();
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends what computes, after the memory is gone.</summary>
    protected virtual void DisposeWorkers()
    {
    }

    /// <summary>Address of a view's first element; null for an argument that was left out.</summary>
    internal static T* Pointer<T>(View<T> view) where T : unmanaged
    {
        if (view.Memory is null) return null;
        if (typeof(T) == typeof(float) && IsWide(view)) throw new NotSupportedException("this op computes in float32 only, the memory holds doubles");
        return (T*)ElementAddress(view);
    }

    /// <summary>Whether the reals of a view are stored as doubles.</summary>
    private protected static bool IsWide<T>(View<T> view) where T : unmanaged => view.Memory is HostMemory { Wide: true };

    /// <summary>Address of a view's first element, which is a double where the memory is wide.</summary>
    private protected static void* ElementAddress<T>(View<T> view) where T : unmanaged
    {
        if (view.Memory is not HostMemory host)
            throw new ArgumentException($"expected host memory, found {view.Memory?.GetType().Name}: the tensor lives on another device");
        return (byte*)host.Pointer + view.Offset * (typeof(T) == typeof(float) && host.Wide ? sizeof(double) : sizeof(T));
    }

    /// <summary>A view as a span; views longer than a span can be are refused.</summary>
    internal static Span<T> Span<T>(View<T> view) where T : unmanaged => new(Pointer(view), checked((int)view.Length));

    // Powers of two up to a megabyte, then whole megabytes: few classes, so that blocks of one layer serve the next.
    private static long SizeClass(long bytes)
    {
        const long megabyte = 1 << 20;
        if (bytes <= 256) return 256;
        return bytes <= megabyte
            ? (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)bytes)
            : (bytes + megabyte - 1) / megabyte * megabyte;
    }

    private void Return(nint pointer, long size)
    {
        lock (gate)
        {
            live -= size;
            blocks--;
            if (!disposed && pooled + size <= PoolLimit)
            {
                if (!free.TryGetValue(size, out var stack)) free[size] = stack = new Stack<nint>();
                stack.Push(pointer);
                pooled += size;
                return;
            }
        }
        NativeMemory.AlignedFree((void*)pointer);
    }

    private void FreePool()
    {
        foreach (var stack in free.Values)
            while (stack.TryPop(out var pointer))
                NativeMemory.AlignedFree((void*)pointer);
        free.Clear();
        pooled = 0;
    }

    private sealed class HostMemory(HostBackend owner, nint pointer, long size, long byteLength, bool wide) : DeviceMemory
    {
        private nint address = pointer;

        public override long ByteLength => byteLength;

        public bool Wide => wide;

        public nint Pointer => address != 0 ? address : throw new ObjectDisposedException(nameof(DeviceMemory), "this memory was freed; is a tensor used after its scope ended?");

        public override void Dispose()
        {
            var freed = Interlocked.Exchange(ref address, 0);
            if (freed != 0) owner.Return(freed, size);
        }
    }
}
