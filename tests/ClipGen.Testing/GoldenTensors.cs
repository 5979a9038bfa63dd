using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace ClipGen.Testing;

/// <summary>
/// Reads the golden <c>.safetensors</c> files: 8 bytes of header length, a JSON header, raw little-endian data. Plain on purpose:
/// the library's own reader is under test elsewhere and must not be its own judge.
/// </summary>
public static class GoldenTensors
{
    /// <summary>All tensors of a file below <c>tests/golden</c>, by name.</summary>
    public static IReadOnlyDictionary<string, GoldenTensor> Load(params string[] parts)
    {
        var bytes = File.ReadAllBytes(RepositoryPaths.GoldenFile(parts));
        var headerLength = checked((int)BinaryPrimitives.ReadInt64LittleEndian(bytes));
        using var header = JsonDocument.Parse(Encoding.UTF8.GetString(bytes, 8, headerLength));
        var tensors = new Dictionary<string, GoldenTensor>();
        foreach (var entry in header.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__") continue;
            var type = entry.Value.GetProperty("dtype").GetString()!;
            long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(axis => axis.GetInt64())];
            var offsets = entry.Value.GetProperty("data_offsets");
            var data = bytes.AsSpan(8 + headerLength)[offsets[0].GetInt32()..offsets[1].GetInt32()];
            Array values = type switch
            {
                "F32" => MemoryMarshal.Cast<byte, float>(data).ToArray(),
                "F16" => MemoryMarshal.Cast<byte, Half>(data).ToArray().Select(value => (float)value).ToArray(),
                "I64" => MemoryMarshal.Cast<byte, long>(data).ToArray(),
                "U8" or "BOOL" => data.ToArray(),
                _ => throw new NotSupportedException($"{string.Join('/', parts)}: tensor '{entry.Name}' has element type {type}"),
            };
            var tensor = new GoldenTensor(shape, type, values);
            if (values.Length != tensor.Count)
                throw new InvalidDataException($"{string.Join('/', parts)}: tensor '{entry.Name}' has {values.Length} values for {tensor.Count} elements");
            tensors.Add(entry.Name, tensor);
        }
        return tensors;
    }

    /// <summary><c>‖found − expected‖ / ‖expected‖</c> over the whole tensor, in double: the measure of the golden tolerances. NaN stays NaN, so compare with <c>&lt;</c>.</summary>
    public static double RelativeError(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        if (expected.Length != found.Length) throw new ArgumentException($"{found.Length} values found, {expected.Length} expected");
        double error = 0, norm = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = (double)found[i] - expected[i];
            error += difference * difference;
            norm += (double)expected[i] * expected[i];
        }
        return Math.Sqrt(error) / Math.Sqrt(norm);
    }
}

/// <summary>One golden tensor.</summary>
/// <param name="Shape">Axes in PyTorch's order; none for a single value.</param>
/// <param name="DType">Element type as the file has it: F32, F16, I64, U8, BOOL.</param>
/// <param name="Data">The row-major elements: a float[], long[] or byte[].</param>
public sealed record GoldenTensor(long[] Shape, string DType, Array Data)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, axis) => product * axis);

    /// <summary>Axes as ints.</summary>
    public int[] Axes => [.. Shape.Select(axis => checked((int)axis))];

    /// <summary>Elements of an F32 or F16 tensor.</summary>
    public float[] Floats => Data as float[] ?? throw new InvalidOperationException($"the tensor holds {DType}, not F32");

    /// <summary>Elements of an I64 tensor.</summary>
    public long[] Longs => Data as long[] ?? throw new InvalidOperationException($"the tensor holds {DType}, not I64");

    /// <summary>Elements of an I64 tensor whose values fit an int: token ids and code indices.</summary>
    public int[] Ints => [.. Longs.Select(value => checked((int)value))];

    /// <summary>Elements of a U8 or BOOL tensor.</summary>
    public byte[] Bytes => Data as byte[] ?? throw new InvalidOperationException($"the tensor holds {DType}, not U8 or BOOL");
}
