namespace ClipGen.Kernels;

/// <summary>One block of memory on a device. Freed by <see cref="Dispose"/>, which gives it back to its backend's pool; never by a finaliser.</summary>
public abstract class DeviceMemory : IDisposable
{
    /// <summary>Usable size in bytes.</summary>
    public abstract long ByteLength { get; }

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>A typed run of elements inside a <see cref="DeviceMemory"/>: what every kernel's arguments are. Row-major, contiguous.</summary>
/// <typeparam name="T">Element type: float, int, long, byte.</typeparam>
public readonly struct View<T> where T : unmanaged
{
    /// <summary>A view of <paramref name="length"/> elements that starts <paramref name="offset"/> elements into the memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The run does not lie inside the memory.</exception>
    public View(DeviceMemory memory, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        unsafe
        {
            // Compared without a sum or product, which a huge argument could overflow.
            var fits = memory.ByteLength / sizeof(T);
            if (offset > fits || length > fits - offset)
                throw new ArgumentOutOfRangeException(nameof(length), $"a view of {length} elements at {offset} does not fit into {memory.ByteLength} bytes");
        }
        Memory = memory;
        Offset = offset;
        Length = length;
    }

    /// <summary>The memory it lies in; null for the empty default view, which stands for "no such argument".</summary>
    public DeviceMemory? Memory { get; }

    /// <summary>First element, counted from the start of the memory.</summary>
    public long Offset { get; }

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>True for <c>default</c>: an optional argument that was left out.</summary>
    public bool IsNone => Memory is null;

    /// <summary>A part of this view.</summary>
    public View<T> Slice(long start, long length)
    {
        if (start < 0 || length < 0 || start > Length || length > Length - start)
            throw new ArgumentOutOfRangeException(nameof(start), $"a slice of {length} elements at {start} of a view of {Length}");
        return new View<T>(Memory!, Offset + start, length);
    }
}
