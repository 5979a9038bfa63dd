using System.Runtime.InteropServices;
using ClipGen.Checkpoints;

namespace ClipGen.Cli.Tests;

/// <summary>Inputs for commands and their results, in .safetensors files.</summary>
internal static class TensorFiles
{
    public static TensorSource Longs(string name, long[] values, params long[] shape) =>
        new(name, ElementType.I64, shape, (first, bytes) => MemoryMarshal.AsBytes(values.AsSpan((int)first))[..bytes.Length].CopyTo(bytes));

    public static TensorSource Ints(string name, int[] values, params long[] shape) =>
        new(name, ElementType.I32, shape, (first, bytes) => MemoryMarshal.AsBytes(values.AsSpan((int)first))[..bytes.Length].CopyTo(bytes));

    /// <summary>All tensors of a file; integers become floats.</summary>
    public static Dictionary<string, (long[] Shape, float[] Values)> Read(string path)
    {
        using var file = Checkpoint.Open(path);
        return file.Tensors.ToDictionary(tensor => tensor.Name, tensor =>
        {
            var values = new float[tensor.Count];
            tensor.ReadFloats(0, values);
            return (tensor.Shape.ToArray(), values);
        });
    }
}
