using System.Runtime.InteropServices;

namespace ClipGen.Checkpoints;

/// <summary>
/// A tensor that a writer takes piece by piece. <paramref name="ReadBytes"/> fills its span with row-major little-endian bytes, from the element
/// of that index on; writers ask for pieces in order, and only for whole elements.
/// </summary>
public sealed record TensorSource(string Name, ElementType Type, IReadOnlyList<long> Shape, Action<long, Span<byte>> ReadBytes)
{
    /// <summary>Product of the sizes.</summary>
    /// <exception cref="OverflowException">It does not fit 64 bits.</exception>
    public long Count => Shape.Contains(0) ? 0 : Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Bytes of all elements.</summary>
    /// <exception cref="OverflowException">They do not fit 64 bits.</exception>
    public long ByteLength => checked(Count * Type.ByteSize());

    /// <summary>A 32-bit float tensor from memory.</summary>
    /// <exception cref="ArgumentException">The shape does not fit the number of values.</exception>
    public static TensorSource From(string name, float[] values, params long[] shape)
    {
        var source = new TensorSource(name, ElementType.F32, shape, (first, bytes) => MemoryMarshal.AsBytes(values.AsSpan((int)first)).Slice(0, bytes.Length).CopyTo(bytes));
        if (source.Count != values.Length) throw new ArgumentException($"tensor '{name}' of shape [{string.Join(", ", shape)}] holds {source.Count} elements, {values.Length} values were given", nameof(shape));
        return source;
    }

    /// <summary>A tensor of an open checkpoint, which must stay open until it is written.</summary>
    public static TensorSource From(CheckpointTensor tensor) => new(tensor.Name, tensor.Type, tensor.Shape, tensor.ReadBytes);

    /// <summary>
    /// A tensor of an open checkpoint, its floats rounded to another element type (to nearest, ties to even); integers and Booleans stay as they are.
    /// </summary>
    /// <param name="tensor">The tensor; its checkpoint must stay open until it is written.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="path">The checkpoint's path, for the message when a value is too large for the type; it comes when the tensor is written.</param>
    /// <exception cref="ArgumentException">The type is another one.</exception>
    public static TensorSource From(CheckpointTensor tensor, ElementType type, string path)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (type is not (ElementType.F32 or ElementType.F16 or ElementType.BF16)) throw new ArgumentException($"floats are rounded to F32, F16 or BF16, not to {type}", nameof(type));
        if (tensor.Type == type || tensor.Type is not (ElementType.F64 or ElementType.F32 or ElementType.F16 or ElementType.BF16)) return From(tensor);
        return new TensorSource(tensor.Name, type, tensor.Shape, (first, bytes) =>
        {
            var floats = new float[bytes.Length / type.ByteSize()];
            tensor.ReadFloats(first, floats);
            if (FloatConversion.FromFloats(type, floats, bytes) is { } overflow)
                throw new CheckpointException(path, $"tensor '{tensor.Name}' holds {floats[overflow]:R}, which {type} can't; {(type == ElementType.F16 ? "use BF16 or F32" : "keep it in F32")}");
        });
    }

    /// <summary>Calls back with all bytes, in pieces of at most a megabyte.</summary>
    internal void ForPieces(SpanAction action)
    {
        const int pieceBytes = 1 << 20;
        var size = Type.ByteSize();
        var count = Count;
        var buffer = new byte[(int)Math.Min(pieceBytes, count * size)];
        for (long first = 0; first < count;)
        {
            var elements = (int)Math.Min(buffer.Length / size, count - first);
            var piece = buffer.AsSpan(0, elements * size);
            ReadBytes(first, piece);
            action(piece);
            first += elements;
        }
    }

    /// <summary>Throws for what no writer can write.</summary>
    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(Name);
        if (Shape.Count > TensorView.MaxRank) throw new ArgumentException($"tensor '{Name}' has {Shape.Count} axes, more than {TensorView.MaxRank}");
        if (Shape.Any(size => size < 0)) throw new ArgumentException($"tensor '{Name}' has a negative size");
        try
        {
            _ = ByteLength;
        }
        catch (OverflowException e)
        {
            throw new ArgumentException($"tensor '{Name}' of shape [{string.Join(", ", Shape)}] has more bytes than 63 bits can count", e);
        }
    }

    internal delegate void SpanAction(ReadOnlySpan<byte> bytes);
}
