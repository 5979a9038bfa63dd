using ClipGen.Checkpoints;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Tracing;

/// <summary>Inputs of a traced run, from the tensors of a file. Nothing in the file is trusted.</summary>
public sealed class TraceInputs(Checkpoint file)
{
    private const long LargestInput = 1L << 28;
    private const long LongestAxis = 1L << 20;

    /// <summary>Whether there is a tensor of that name.</summary>
    public bool Has(string name) => file.Find(name) is not null;

    /// <summary>A float tensor.</summary>
    /// <param name="device">Where to put it.</param>
    /// <param name="name">Its name.</param>
    /// <param name="axes">What its axes mean, for messages: <c>[N, 3, H, W]</c>.</param>
    /// <param name="rank">Number of axes.</param>
    /// <exception cref="WeightException">It is missing or something else.</exception>
    public Tensor Floats(Device device, string name, string axes, int rank)
    {
        var tensor = Find(name, axes, rank);
        if (tensor.Type is not (ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64))
            throw Bad($"tensor '{name}' holds {tensor.Type.ToText()}, expected floating-point numbers");
        var values = new float[tensor.Count];
        tensor.ReadFloats(0, values);
        return device.From(values, ShapeOf(tensor));
    }

    /// <summary>Rows of integers below a limit.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="axes">What its axes mean, for messages.</param>
    /// <param name="limit">Number of allowed values: 0 to limit − 1.</param>
    /// <exception cref="WeightException">It is missing or something else, or a value is out of range.</exception>
    public int[][] Rows(string name, string axes, int limit)
    {
        var tensor = Find(name, axes, 2);
        if (tensor.Type is not (ElementType.I64 or ElementType.I32)) throw Bad($"tensor '{name}' holds {tensor.Type.ToText()}, expected I64 or I32");
        var rows = new int[tensor.Shape[0]][];
        var size = tensor.Type.ByteSize();
        var bytes = new byte[tensor.Count * size];
        tensor.ReadBytes(0, bytes);
        for (var n = 0; n < rows.Length; n++)
        {
            rows[n] = new int[tensor.Shape[1]];
            for (var t = 0; t < rows[n].Length; t++)
            {
                var at = (n * rows[n].Length + t) * size;
                var value = size == 8 ? BitConverter.ToInt64(bytes, at) : BitConverter.ToInt32(bytes, at);
                if (value < 0 || value >= limit) throw Bad($"tensor '{name}' holds {value} at [{n}, {t}], expected 0 to {limit - 1}");
                rows[n][t] = (int)value;
            }
        }
        return rows;
    }

    /// <summary>An error about the file.</summary>
    public WeightException Bad(string message) => new($"{file.Path}: {message}");

    private CheckpointTensor Find(string name, string axes, int rank)
    {
        var tensor = file.Find(name) ?? throw Bad($"has no tensor '{name}', expected {axes}");
        if (tensor.Shape.Count != rank) throw Bad($"tensor '{name}' has shape [{string.Join(", ", tensor.Shape)}], expected {axes}");
        if (tensor.Shape[0] == 0) throw Bad($"tensor '{name}' is empty, expected {axes} with N of 1 or more");
        // An axis of 0 makes a tensor of any other axes free of charge in the file.
        if (tensor.Shape.Any(axis => axis > LongestAxis)) throw Bad($"tensor '{name}' has shape [{string.Join(", ", tensor.Shape)}], at most {LongestAxis:N0} along an axis are traced");
        if (tensor.Count > LargestInput) throw Bad($"tensor '{name}' has {tensor.Count:N0} elements, more than the {LargestInput:N0} that are traced");
        return tensor;
    }

    private static Shape ShapeOf(CheckpointTensor tensor) => new([.. tensor.Shape.Select(axis => checked((int)axis))]);
}
