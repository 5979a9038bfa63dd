using System.Runtime.InteropServices;
using System.Text;
using ClipGen.Testing;

namespace ClipGen.Checkpoints.Tests;

/// <summary>Reading elements: conversions of all 16-bit patterns, views of any strides against an element-wise loop, ranges, threads.</summary>
public class TensorReadTests
{
    [Fact]
    public void Every_half_is_converted_exactly()
    {
        var halves = Enumerable.Range(0, 65536).Select(i => (ushort)i).ToArray();
        var floats = new float[65536 - 3];
        // An odd start and length leave a tail for the scalar loop.
        FloatConversion.ToFloats(ElementType.F16, MemoryMarshal.AsBytes(halves.AsSpan(3)), floats);
        for (var i = 0; i < floats.Length; i++)
        {
            var expected = (float)BitConverter.UInt16BitsToHalf(halves[i + 3]);
            if (float.IsNaN(expected)) Assert.True(float.IsNaN(floats[i]), $"pattern {i + 3:x4}");
            else Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(floats[i]));
        }
    }

    [Fact]
    public void Every_bfloat16_is_converted_exactly()
    {
        var patterns = Enumerable.Range(0, 65536).Select(i => (ushort)i).ToArray();
        var floats = new float[65536 - 3];
        FloatConversion.ToFloats(ElementType.BF16, MemoryMarshal.AsBytes(patterns.AsSpan(3)), floats);
        for (var i = 0; i < floats.Length; i++) Assert.Equal((uint)(i + 3) << 16, BitConverter.SingleToUInt32Bits(floats[i]));
    }

    [Fact]
    public void Other_types_are_converted()
    {
        Check<double>(ElementType.F64, [1.5, -2e300, double.NaN], [1.5f, float.NegativeInfinity, float.NaN]);
        Check<long>(ElementType.I64, [-1, long.MaxValue], [-1, 9.223372e18f]);
        Check<int>(ElementType.I32, [int.MinValue, 16777217], [-2147483648f, 16777216]);
        Check<short>(ElementType.I16, [-32768, 5], [-32768, 5]);
        Check<sbyte>(ElementType.I8, [-128, 127], [-128, 127]);
        Check<byte>(ElementType.U8, [0, 255], [0, 255]);
        Check<byte>(ElementType.Bool, [0, 1, 7], [0, 1, 1]);

        static void Check<T>(ElementType type, T[] values, float[] expected) where T : unmanaged
        {
            var floats = new float[values.Length];
            FloatConversion.ToFloats(type, MemoryMarshal.AsBytes(values.AsSpan()), floats);
            Assert.Equal(expected, floats);
        }
    }

    [Fact]
    public void Views_of_any_strides_are_read_in_row_major_order()
    {
        var random = new Random(5);
        var strided = 0;
        for (var round = 0; round < 300; round++)
        {
            ElementType[] types = [ElementType.U8, ElementType.F16, ElementType.F32, ElementType.F64];
            var type = types[round % types.Length];
            var shape = Enumerable.Range(0, random.Next(1, 5)).Select(_ => (long)random.Next(1, 6)).ToArray();
            var strides = shape.Select(_ => (long)random.Next(0, 12)).ToArray();
            if (round % 3 == 0)
            {
                // Dense, with permuted axes: what .t() and channels_last produce.
                long step = 1;
                foreach (var d in Enumerable.Range(0, shape.Length).OrderBy(_ => random.Next()))
                {
                    strides[d] = step;
                    step *= shape[d];
                }
            }
            var offset = random.Next(0, 5);
            var capacity = offset + shape.Zip(strides, (size, stride) => (size - 1) * stride).Sum() + 1 + random.Next(0, 3);
            var bytes = new byte[capacity * type.ByteSize()];
            random.NextBytes(bytes);
            var tensor = View(type, bytes, capacity, offset, shape, strides);
            strided += tensor.IsContiguous ? 0 : 1;
            var expected = Elementwise(type, bytes, offset, shape, strides);
            for (var attempt = 0; attempt < 5; attempt++)
            {
                var first = random.Next(0, (int)tensor.Count + 1);
                var count = random.Next(0, (int)tensor.Count - first + 1);
                var actual = new byte[count * type.ByteSize()];
                tensor.ReadBytes(first, actual);
                Assert.Equal(expected.AsSpan(first * type.ByteSize(), actual.Length).ToArray(), actual);
                var floats = new float[count];
                var expectedFloats = new float[count];
                tensor.ReadFloats(first, floats);
                FloatConversion.ToFloats(type, actual, expectedFloats);
                Assert.Equal(expectedFloats, floats);
            }
        }
        Assert.True(strided > 150, $"only {strided} views were strided");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_large_transposed_matrix_is_read_by_many_threads(bool half)
    {
        const int rows = 700, columns = 1100;
        using var folder = new TemporaryFolder();
        var type = half ? "HalfStorage" : "FloatStorage";
        var size = half ? 2 : 4;
        var storage = new byte[rows * columns * size];
        for (var i = 0; i < rows * columns; i++)
        {
            if (half) BitConverter.TryWriteBytes(storage.AsSpan(i * 2), (Half)(i % 2039));
            else BitConverter.TryWriteBytes(storage.AsSpan(i * 4), (float)i);
        }
        var pickle = Zips.Pickle($"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n{type}\nX\x01\0\0\00X\x03\0\0\0cpu{Int(rows * columns)}tQK\0({Int(columns)}{Int(rows)}t({Int(1)}{Int(columns)}t\u0089ccollections\nOrderedDict\n)RtR");
        using var checkpoint = Checkpoint.Open(folder.Write("t.pt", Zips.Of(("archive/data.pkl", pickle), ("archive/data/0", storage))));
        var tensor = Assert.Single(checkpoint.Tensors);
        Assert.False(tensor.IsContiguous);
        Assert.Equal([columns, rows], tensor.Shape);
        var values = new float[rows * columns];
        const int pieces = 7;
        Parallel.For(0, pieces, p =>
        {
            var first = p * (values.Length / pieces);
            tensor.ReadFloats(first, values.AsSpan(first, values.Length / pieces));
        });
        Assert.Equal(0, values.Length % pieces);
        for (var c = 0; c < columns; c++)
            for (var r = 0; r < rows; r++)
            {
                var i = r * columns + c;
                if (values[c * rows + r] != (half ? i % 2039 : i)) Assert.Fail($"element {c}, {r} is {values[c * rows + r]}");
            }
        var one = new float[1];
        tensor.ReadFloats((columns - 1) * rows + 5, one);
        Assert.Equal(half ? (6 * columns - 1) % 2039 : 6 * columns - 1, one[0]);

        static string Int(int value) => "J" + Encoding.Latin1.GetString(BitConverter.GetBytes(value));
    }

    [Fact]
    public void Ranges_are_checked()
    {
        using var checkpoint = Checkpoint.Open(RepositoryPaths.GoldenFile("gpt", "gpt_tiny.safetensors"));
        var tensor = checkpoint.Find("embed")!;
        Assert.Equal(128, tensor.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadFloats(-1, new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadFloats(128, new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadFloats(0, new float[129]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadFloats(long.MaxValue, new float[1]));
        Assert.Throws<ArgumentException>(() => tensor.ReadBytes(0, new byte[3]));
        tensor.ReadFloats(128, []);
        Assert.Equal("embed F32 [2, 64]", tensor.ToString());
    }

    private static TensorView View(ElementType type, byte[] bytes, long capacity, long offset, long[] shape, long[] strides)
    {
        using var folder = new TemporaryFolder();
        using var file = CheckpointFile.Open(folder.Write("x", [1]));
        return TensorView.Create(file, new Storage("0", 0) { Data = new MemoryBytes(bytes) }, type, capacity, offset, shape, strides, complaint => new CheckpointException("x", complaint));
    }

    private static byte[] Elementwise(ElementType type, byte[] bytes, long offset, long[] shape, long[] strides)
    {
        var size = type.ByteSize();
        var count = shape.Aggregate(1L, (a, b) => a * b);
        var result = new byte[count * size];
        for (long i = 0; i < count; i++)
        {
            var rest = i;
            var at = offset;
            for (var d = shape.Length - 1; d >= 0; d--)
            {
                at += rest % shape[d] * strides[d];
                rest /= shape[d];
            }
            bytes.AsSpan((int)at * size, size).CopyTo(result.AsSpan((int)i * size));
        }
        return result;
    }
}
