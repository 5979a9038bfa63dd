using ClipGen.Checkpoints;

namespace ClipGen.Models;

/// <summary>A weight as the models read it: a tensor of a checkpoint, or something made of such. Reads may come from several threads.</summary>
internal sealed class WeightTensor
{
    private readonly Action<long, Span<float>> read;

    private WeightTensor(long[] shape, Action<long, Span<float>> read) => (Shape, this.read) = (shape, read);

    /// <summary>Sizes.</summary>
    public long[] Shape { get; }

    /// <summary>A tensor as it is.</summary>
    public static WeightTensor Of(CheckpointTensor tensor) => new([.. tensor.Shape], tensor.ReadFloats);

    /// <summary>Its elements under another shape; as it is where they are not as many.</summary>
    public static WeightTensor Reshaped(CheckpointTensor tensor, params long[] shape) => shape.Aggregate(1L, (product, size) => product * size) == tensor.Count ? new(shape, tensor.ReadFloats) : Of(tensor);

    /// <summary>A matrix with rows and columns exchanged; as it is where it is no matrix.</summary>
    public static WeightTensor Transposed(CheckpointTensor tensor)
    {
        if (tensor.Shape.Count != 2) return Of(tensor);
        long rows = tensor.Shape[0], columns = tensor.Shape[1];
        // Read once, when it is first asked for: elements of a column lie far apart.
        var whole = new Lazy<float[]>(() =>
        {
            var values = new float[tensor.Count];
            tensor.ReadFloats(0, values);
            return values;
        });
        return new([columns, rows], (first, destination) =>
        {
            for (var i = 0; i < destination.Length; i++) destination[i] = whole.Value[(first + i) % rows * columns + (first + i) / rows];
        });
    }

    /// <summary>Tensors of one shape behind one another along the first axis, the last ones dropped where they are 1 if <paramref name="rank"/> says so.</summary>
    public static WeightTensor Stacked(IReadOnlyList<CheckpointTensor> parts, int rank)
    {
        var each = parts[0].Count;
        // A part of another size would be read as something else: the shape shows it then.
        if (parts.Any(part => !part.Shape.SequenceEqual(parts[0].Shape)) || parts[0].Shape.Count < rank || parts[0].Shape.Skip(rank).Any(size => size != 1)) return Of(parts[0]);
        long[] shape = [.. parts[0].Shape.Take(rank)];
        shape[0] = checked(shape[0] * parts.Count);
        return new(shape, (first, destination) =>
        {
            while (destination.Length > 0)
            {
                var (part, within) = Math.DivRem(first, each);
                var count = (int)Math.Min(destination.Length, each - within);
                parts[(int)part].ReadFloats(within, destination[..count]);
                first += count;
                destination = destination[count..];
            }
        });
    }

    /// <summary>Reads row-major elements as floats.</summary>
    public void ReadFloats(long first, Span<float> destination) => read(first, destination);
}
