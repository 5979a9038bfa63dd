using System.Buffers;
using System.Runtime.InteropServices;

namespace ClipGen.Checkpoints;

/// <summary>Raw elements that one or more tensors look into. In the legacy format the bytes are found after the tensors.</summary>
internal sealed class Storage(string key, int index)
{
    public string Key => key;

    /// <summary>Number in the order of first mention.</summary>
    public int Index => index;

    public ByteSource? Data { get; set; }
}

/// <summary>A strided look into a storage, checked against its bounds when made: elements <c>offset + sum of i_d * stride_d</c>.</summary>
internal sealed unsafe class TensorView
{
    private const int PooledSpan = 1 << 20;
    private const long LargestInflatedSpan = 256L << 20;
    private readonly CheckpointFile file;
    private readonly long[] runSizes, runStrides;

    private TensorView(CheckpointFile file, Storage storage, ElementType type, long offset, long[] shape, long[] strides, long count)
    {
        this.file = file;
        Storage = storage;
        Type = type;
        Offset = offset;
        Shape = shape;
        Strides = strides;
        Count = count;
        (runSizes, runStrides) = Collapse(shape, strides);
        // A view without axes longer than 1, or one axis of stride 1, is a plain run of elements.
        IsContiguous = count == 0 || runSizes.Length == 0 || (runSizes.Length == 1 && runStrides[0] == 1);
    }

    /// <summary>Most axes that a tensor may have.</summary>
    public const int MaxRank = 64;

    /// <summary>Most elements of a view that repeats stored elements (stride 0): bounds what a few bytes can claim to be.</summary>
    public const long MaxRepeated = 1 << 24;

    public Storage Storage { get; }

    public ElementType Type { get; }

    public long Offset { get; }

    public long[] Shape { get; }

    public long[] Strides { get; }

    public long Count { get; }

    public bool IsContiguous { get; }

    /// <summary>A checked view. <paramref name="refuse"/> makes the exception for a sentence on what is wrong.</summary>
    public static TensorView Create(
        CheckpointFile file, Storage storage, ElementType type, long capacity, long offset, long[] shape, long[] strides, Func<string, CheckpointException> refuse)
    {
        if (shape.Length != strides.Length) throw refuse($"a tensor has {shape.Length} sizes but {strides.Length} strides");
        if (shape.Length > MaxRank) throw refuse($"a tensor has {shape.Length} axes, more than {MaxRank}");
        if (offset < 0) throw refuse($"a tensor starts at the negative offset {offset}");
        long count = 1;
        for (var d = 0; d < shape.Length; d++)
        {
            if (shape[d] < 0) throw refuse($"a tensor has the negative size {shape[d]}");
            if (strides[d] < 0) throw refuse($"a tensor has the negative stride {strides[d]}");
            var product = Math.BigMul(count, shape[d], out count);
            if (product != 0 || count < 0)
            {
                if (!shape.Contains(0)) throw refuse("a tensor's sizes multiply to more than 64 bits hold");
                count = 0;
            }
        }
        if (count == 0)
        {
            if (offset > capacity) throw refuse($"an empty tensor starts at element {offset} of a storage of {capacity}");
        }
        else
        {
            UInt128 last = (ulong)offset;
            for (var d = 0; d < shape.Length; d++)
            {
                last += (UInt128)(ulong)(shape[d] - 1) * (ulong)strides[d];
                if (last >= (ulong)capacity) throw refuse($"a tensor reaches past the end of its storage of {capacity} elements");
            }
            if (last >= (ulong)capacity) throw refuse($"a tensor at offset {offset} reaches past the end of its storage of {capacity} elements");
            if (count > capacity && count > MaxRepeated) throw refuse($"a tensor claims {count:N0} elements of a storage of {capacity:N0}");
        }
        return new TensorView(file, storage, type, offset, shape, strides, count);
    }

    /// <summary>Strides of a tensor in row-major order; an empty axis counts as one element, as in PyTorch.</summary>
    public static long[] RowMajorStrides(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        long step = 1;
        for (var d = strides.Length - 1; d >= 0; d--)
        {
            strides[d] = step;
            // Only a tensor without elements can have sizes that overflow; its strides mean nothing.
            var high = Math.BigMul(step, Math.Max(1, shape[d]), out step);
            if (high != 0 || step < 0) step = 1;
        }
        return strides;
    }

    /// <summary>Row-major elements from <paramref name="first"/>, as their bytes.</summary>
    public void ReadBytes(long first, Span<byte> destination)
    {
        var size = Type.ByteSize();
        if (destination.Length % size != 0) throw new ArgumentException($"{destination.Length} bytes are not a whole number of {size}-byte elements", nameof(destination));
        CheckRange(first, destination.Length / size);
        if (destination.IsEmpty) return;
        if (IsContiguous) Data.Read((Offset + first) * size, destination);
        else ReadStrided(first, destination, size);
    }

    /// <summary>Row-major elements from <paramref name="first"/>, as floats.</summary>
    public void ReadFloats(long first, Span<float> destination)
    {
        CheckRange(first, destination.Length);
        if (destination.IsEmpty) return;
        if (Type == ElementType.F32)
        {
            ReadBytes(first, MemoryMarshal.AsBytes(destination));
            return;
        }
        // 64 KB pieces are converted while they are in the cache.
        var size = Type.ByteSize();
        var piece = (IsContiguous ? 1 << 16 : PooledSpan) / size;
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Min(piece, destination.Length) * size);
        try
        {
            while (destination.Length > 0)
            {
                var count = Math.Min(piece, destination.Length);
                var bytes = buffer.AsSpan(0, count * size);
                ReadBytes(first, bytes);
                FloatConversion.ToFloats(Type, bytes, destination[..count]);
                first += count;
                destination = destination[count..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private ByteSource Data => Storage.Data ?? throw file.Refuse($"storage '{Storage.Key}' has no data");

    private void CheckRange(long first, int count)
    {
        if (first < 0 || first > Count || count > Count - first)
            throw new ArgumentOutOfRangeException(nameof(first), $"elements {first} .. {first + count} asked for, the tensor has {Count}");
    }

    // Axes of size 1 say nothing; an axis that continues its neighbour is one longer axis.
    private static (long[] Sizes, long[] Strides) Collapse(long[] shape, long[] strides)
    {
        var sizes = new List<long>();
        var steps = new List<long>();
        for (var d = 0; d < shape.Length; d++)
        {
            if (shape[d] == 1) continue;
            if (sizes.Count > 0 && (Int128)strides[d] * shape[d] == steps[^1])
            {
                sizes[^1] *= shape[d];
                steps[^1] = strides[d];
            }
            else
            {
                sizes.Add(shape[d]);
                steps.Add(strides[d]);
            }
        }
        return ([.. sizes], [.. steps]);
    }

    private void ReadStrided(long first, Span<byte> destination, int size)
    {
        var (low, high) = Reach(first, destination.Length / size);
        var start = (Offset + low) * size;
        var bytes = (high - low + 1) * size;
        if (bytes > PooledSpan && Data is FileBytes data)
        {
            using var mapped = data.Map(start, bytes);
            Gather(mapped.Pointer, low, first, destination, size);
            return;
        }
        if (bytes > LargestInflatedSpan) throw file.Refuse($"storage '{Storage.Key}' is compressed, and too large ({bytes:N0} bytes) for a tensor that is not contiguous; save it again with torch.save");
        var buffer = ArrayPool<byte>.Shared.Rent((int)bytes);
        try
        {
            Data.Read(start, buffer.AsSpan(0, (int)bytes));
            fixed (byte* pointer = buffer) Gather(pointer, low, first, destination, size);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Bounds of the offsets of elements first .. first + count - 1: those axes that all of them share are fixed,
    // the first that changes runs between two values, and the ones after it may take any value.
    private (long Low, long High) Reach(long first, int count)
    {
        long low = 0, high = 0, below = 1;
        foreach (var size in runSizes) below *= size;
        long a = first, b = first + count - 1;
        var free = false;
        for (var d = 0; d < runSizes.Length; d++)
        {
            below /= runSizes[d];
            var (i, j) = free ? (0, runSizes[d] - 1) : (a / below, b / below);
            low += i * runStrides[d];
            high += j * runStrides[d];
            free |= i != j;
            a %= below;
            b %= below;
        }
        return (low, high);
    }

    private void Gather(byte* source, long low, long first, Span<byte> destination, int size)
    {
        switch (size)
        {
            case 1: Gather(source, low, first, destination); break;
            case 2: Gather((ushort*)source, low, first, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            case 4: Gather((uint*)source, low, first, MemoryMarshal.Cast<byte, uint>(destination)); break;
            default: Gather((ulong*)source, low, first, MemoryMarshal.Cast<byte, ulong>(destination)); break;
        }
    }

    private void Gather<T>(T* source, long low, long first, Span<T> destination) where T : unmanaged
    {
        var inner = runSizes.Length - 1;
        var at = new long[runSizes.Length];
        var rest = first;
        var offset = -low;
        for (var d = inner; d >= 0; d--)
        {
            (rest, at[d]) = Math.DivRem(rest, runSizes[d]);
            offset += at[d] * runStrides[d];
        }
        var step = runStrides[inner];
        while (true)
        {
            var run = (int)Math.Min(runSizes[inner] - at[inner], destination.Length);
            if (step == 1) new ReadOnlySpan<T>(source + offset, run).CopyTo(destination);
            else
                for (var i = 0; i < run; i++) destination[i] = source[offset + i * step];
            destination = destination[run..];
            if (destination.IsEmpty) return;
            // The run ended at the end of its axis: back to its start, one step further on the next outer axis.
            offset -= at[inner] * step;
            at[inner] = 0;
            for (var d = inner - 1; d >= 0; d--)
            {
                at[d]++;
                offset += runStrides[d];
                if (at[d] < runSizes[d]) break;
                offset -= at[d] * runStrides[d];
                at[d] = 0;
            }
        }
    }
}
