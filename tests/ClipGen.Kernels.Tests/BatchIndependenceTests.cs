using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>
/// A picture or sequence gives the same bits alone and in company, on any number of threads: what makes one seed give one picture
/// whatever the batch. Held at every SIMD level, in software where the processor lacks it.
/// </summary>
public sealed class BatchIndependenceTests
{
    public static TheoryData<SimdLevel> Levels() => [.. Enum.GetValues<SimdLevel>()];

    [Theory]
    [MemberData(nameof(Levels))]
    public void MatMul(SimdLevel level)
    {
        // Rows per item that are no multiple of any tile's height, and K longer than one block.
        foreach (var (batch, rows, n, k) in new[] { (5, 1, 70, 300), (3, 7, 33, 513), (2, 50, 96, 64) })
            Check(level, batch, [("a", rows * k)], [("bias", n), ("w", n * k)], rows * n, (cpu, count, data, y) =>
            {
                using var packed = cpu.AllocatePacked(n, k);
                cpu.PackRows(data.Host("w"), 0, n, packed);
                cpu.MatMul(data["a"], count * rows, packed, new Epilogue { Bias = data["bias"], Activation = Activation.Gelu }, y);
            });
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void MatMulInFewerBits(SimdLevel level)
    {
        // One row alone, and as one of up to 40: numbers are widened on the way to the registers, or before.
        foreach (var type in new[] { PackedType.BFloat16, PackedType.Int8 })
            Check(level, 40, [("a", 530)], [("w", 70 * 530)], 70, (cpu, count, data, y) =>
            {
                using var packed = cpu.AllocatePacked(70, 530, type);
                cpu.PackRows(data.Host("w"), 0, 70, packed);
                cpu.MatMul(data["a"], count, packed, default, y);
            });
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void BFloat16GivesTheBitsOfRoundedFloats(SimdLevel level)
    {
        const int m = 29, n = 45, k = 530;
        var (a, b) = (CaseData.Normal(m * k, 1), CaseData.Normal(n * k, 2));
        using var cpu = CpuBackend.InSoftware(2, level);
        using var arrays = new DeviceArrays(cpu);
        foreach (var rows in new[] { 1, 5, m })
        {
            View<float> x = arrays.From(a[..(rows * k)]), found = arrays.Empty<float>(rows * n), expected = arrays.Empty<float>(rows * n);
            var rounded = new float[n * k];
            for (var i = 0; i < n; i++) PackedTypes.Round(PackedType.BFloat16, b.AsSpan(i * k, k), rounded.AsSpan(i * k, k));
            using PackedMatrix reduced = cpu.AllocatePacked(n, k, PackedType.BFloat16), whole = cpu.AllocatePacked(n, k);
            cpu.PackRows(b, 0, n, reduced);
            cpu.PackRows(rounded, 0, n, whole);
            cpu.MatMul(x, rows, reduced, default, found);
            cpu.MatMul(x, rows, whole, default, expected);
            Assert.Equal(arrays.Read(expected), arrays.Read(found));
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void MatMulPlainGivesTheBitsOfPackedOperands(SimdLevel level)
    {
        const int m = 29, n = 45, k = 530;
        var (a, b) = (CaseData.Normal(m * k, 1), CaseData.Normal(n * k, 2));
        using var cpu = CpuBackend.InSoftware(2, level);
        using var arrays = new DeviceArrays(cpu);
        var y = arrays.Empty<float>(m * n);
        using (var packed = cpu.AllocatePacked(n, k))
        {
            cpu.PackRows(b, 0, n, packed);
            cpu.MatMul(arrays.From(a), m, packed, default, y);
        }
        var expected = arrays.Read(y);
        foreach (var (transposeA, transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            cpu.MatMulPlain(new MatMulShape(m, n, k, transposeA, transposeB), arrays.From(transposeA ? Transposed(a, m, k) : a), arrays.From(transposeB ? Transposed(b, n, k) : b), default, y);
            Assert.Equal(expected, arrays.Read(y));
        }
        // Nor do the other rows and columns matter: a corner of the product.
        cpu.MatMulPlain(new MatMulShape(3, 2, k), arrays.From(a[..(3 * k)]), arrays.From(b[..(2 * k)]), default, y);
        var corner = arrays.Read(y);
        for (var i = 0; i < 3; i++) Assert.Equal(expected[(i * n)..(i * n + 2)], corner[(i * 2)..(i * 2 + 2)]);

        static float[] Transposed(float[] matrix, int rows, int columns) => [.. Enumerable.Range(0, matrix.Length).Select(at => matrix[at % rows * columns + at / rows])];
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Conv2dBackwardInput(SimdLevel level)
    {
        foreach (var shape in new Conv2dShape[]
        {
            new() { Batch = 1, Height = 9, Width = 7, InChannels = 5, OutChannels = 37, Kernel = 3, PadBefore = 1, PadAfter = 1 },
            new() { Batch = 1, Height = 5, Width = 4, InChannels = 40, OutChannels = 6, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 },
            new() { Batch = 1, Height = 8, Width = 6, InChannels = 33, OutChannels = 5, Kernel = 3, Stride = 2, PadAfter = 1 },
            new() { Batch = 1, Height = 9, Width = 8, InChannels = 5, OutChannels = 40, Kernel = 4, Stride = 4 },
            new() { Batch = 1, Height = 5, Width = 5, InChannels = 140, OutChannels = 300, Kernel = 1 },
        })
            Check(level, 4, [("dy", shape.OutHeight * shape.OutWidth * shape.OutChannels)], [("w", shape.OutChannels * shape.K)], shape.Height * shape.Width * shape.InChannels, (cpu, count, data, dx) =>
                cpu.Conv2dBackwardInput(data["dy"], shape with { Batch = count }, data["w"], dx));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Conv2d(SimdLevel level)
    {
        foreach (var shape in new Conv2dShape[]
        {
            new() { Batch = 1, Height = 9, Width = 7, InChannels = 5, OutChannels = 37, Kernel = 3, PadBefore = 1, PadAfter = 1 },
            new() { Batch = 1, Height = 5, Width = 4, InChannels = 40, OutChannels = 6, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 },
            new() { Batch = 1, Height = 8, Width = 6, InChannels = 33, OutChannels = 5, Kernel = 3, Stride = 2, PadAfter = 1 },
            new() { Batch = 1, Height = 5, Width = 5, InChannels = 300, OutChannels = 140, Kernel = 1 },
            // 72 tiles of 4x4 outputs a picture, which parts of 32, 48 or 96 do not divide.
            new() { Batch = 1, Height = 33, Width = 31, InChannels = 16, OutChannels = 17, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        })
            Check(level, 4, [("x", shape.Height * shape.Width * shape.InChannels)], [("w", shape.OutChannels * shape.K)], shape.OutHeight * shape.OutWidth * shape.OutChannels, (cpu, count, data, y) =>
            {
                using var packed = cpu.AllocatePacked(shape.OutChannels, shape.K);
                cpu.PackRows(data.Host("w"), 0, shape.OutChannels, packed);
                cpu.Conv2d(data["x"], shape with { Batch = count }, packed, new Epilogue { Activation = Activation.Silu }, y);
            });
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Attention(SimdLevel level)
    {
        // 110 positions make two blocks of queries at the widest tile; few heads and many heads are split over threads differently.
        foreach (var (heads, size, length, causal) in new[] { (1, 40, 110, true), (3, 17, 30, false), (7, 8, 13, true) })
        {
            var width = heads * size;
            Check(level, 3, [("qkv", length * 3 * width)], [], length * width, (cpu, count, data, y) =>
            {
                var all = data["qkv"];
                var shape = new AttentionShape { Batch = count, Heads = heads, HeadSize = size, QueryLength = length, KeyLength = length, Causal = causal, QueryStride = 3 * width, KeyStride = 3 * width };
                cpu.Attention(shape, all, all.Slice(width, all.Length - width), all.Slice(2 * width, all.Length - 2 * width), y);
            });
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void AttentionBackward(SimdLevel level)
    {
        // 110 positions make two blocks of queries. The gradients are three views into one packed array.
        foreach (var (heads, size, length, causal) in new[] { (1, 40, 110, true), (3, 17, 30, false), (1, 8, 200, false) })
        {
            var width = heads * size;
            Check(level, 3, [("qkv", length * 3 * width), ("dy", length * width)], [], length * 3 * width, (cpu, count, data, y) =>
            {
                using var arrays = new DeviceArrays(cpu);
                var all = data["qkv"];
                var output = arrays.Empty<float>(count * length * width);
                var shape = new AttentionShape { Batch = count, Heads = heads, HeadSize = size, QueryLength = length, KeyLength = length, Causal = causal, QueryStride = 3 * width, KeyStride = 3 * width };
                View<float> Part(View<float> packed, int i) => packed.Slice(i * width, packed.Length - i * width);
                cpu.Attention(shape, all, Part(all, 1), Part(all, 2), output);
                cpu.AttentionBackward(shape, DropoutMask.None, all, Part(all, 1), Part(all, 2), output, data["dy"], y, Part(y, 1), Part(y, 2));
            });
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void AttentionDecode(SimdLevel level)
    {
        const int heads = 5, size = 67, max = 120, width = heads * size;
        Check(level, 4, [("qkv", 3 * width), ("keys", max * width), ("values", max * width)], [], width, (cpu, count, data, y) =>
        {
            // Every sequence is at the same position, so that a lone one is the same call.
            using var arrays = new DeviceArrays(cpu);
            cpu.AttentionDecode(new AttentionDecodeShape(count, heads, size, max), data["qkv"], data["keys"], data["values"], arrays.From(Enumerable.Repeat(101, count).ToArray()), y);
        });
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Norms(SimdLevel level)
    {
        Check(level, 3, [("x", 600 * 36)], [("gamma", 36), ("beta", 36)], 600 * 36, (cpu, count, data, y) => cpu.GroupNorm(data["x"], data["gamma"], data["beta"], count, 600, 36, 4, 1e-5f, Activation.Silu, y));
        Check(level, 50, [("x", 3 * 37)], [("gamma", 37), ("beta", 37)], 3 * 37, (cpu, count, data, y) => cpu.LayerNorm(data["x"], data["gamma"], data["beta"], count * 3, 37, 1e-5f, y));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void NormGradients(SimdLevel level)
    {
        Check(level, 3, [("x", 600 * 36), ("dy", 600 * 36)], [("gamma", 36), ("beta", 36)], 600 * 36, (cpu, count, data, dx) =>
        {
            using var arrays = new DeviceArrays(cpu);
            cpu.GroupNormBackward(data["x"], data["gamma"], data["beta"], data["dy"], count, 600, 36, 4, 1e-5f, Activation.Silu, dx, arrays.Empty<float>(36), arrays.Empty<float>(36));
        });
        Check(level, 50, [("x", 3 * 37), ("dy", 3 * 37)], [("gamma", 37)], 3 * 37, (cpu, count, data, dx) =>
        {
            using var arrays = new DeviceArrays(cpu);
            cpu.LayerNormBackward(data["x"], data["gamma"], data["dy"], count * 3, 37, 1e-5f, dx, arrays.Empty<float>(37), arrays.Empty<float>(37));
        });
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Sample(SimdLevel level)
    {
        const int columns = 700, batch = 6;
        var logits = CaseData.Normal(batch * columns, 8, 0, 2);
        var uniforms = CaseData.Uniform(batch, 9);
        var filter = new SamplingFilter(0.9f, 200, 0.9f);
        using var cpu = CpuBackend.InSoftware(3, level);
        var together = Draw(cpu, logits, uniforms);
        for (var i = 0; i < batch; i++)
            Assert.Equal(together[i], Assert.Single(Draw(cpu, logits[(i * columns)..((i + 1) * columns)], [uniforms[i]])));
        Assert.True(together.Distinct().Count() > 1);

        int[] Draw(CpuBackend backend, float[] values, float[] u)
        {
            using var arrays = new DeviceArrays(backend);
            var chosen = arrays.Empty<int>(u.Length);
            backend.Sample(arrays.From(values), u.Length, columns, filter, arrays.From(u), chosen);
            return arrays.Read(chosen);
        }
    }

    /// <summary>Runs a call for all items at once on three threads, and for each item alone on one and on three.</summary>
    /// <param name="level">SIMD level.</param>
    /// <param name="batch">Items.</param>
    /// <param name="perItem">Inputs with their length per item.</param>
    /// <param name="shared">Inputs that all items share.</param>
    /// <param name="outputs">Output length per item.</param>
    /// <param name="call">The op: backend, number of items, inputs, output.</param>
    private static void Check(SimdLevel level, int batch, (string Name, int Length)[] perItem, (string Name, int Length)[] shared, int outputs, Action<CpuBackend, int, Data, View<float>> call)
    {
        var whole = perItem.Select((input, i) => (input.Name, Values: CaseData.Normal(batch * input.Length, 100 + i))).ToArray();
        var common = shared.Select((input, i) => (input.Name, Values: CaseData.Normal(input.Length, 200 + i))).ToArray();
        using var one = CpuBackend.InSoftware(1, level);
        using var three = CpuBackend.InSoftware(3, level);
        var together = Run(three, batch, 0);
        Assert.DoesNotContain(together, float.IsNaN);
        for (var item = 0; item < batch; item++)
        {
            var expected = together[(item * outputs)..((item + 1) * outputs)];
            Assert.Equal(expected, Run(one, 1, item));
            Assert.Equal(expected, Run(three, 1, item));
        }

        float[] Run(CpuBackend cpu, int count, int first)
        {
            using var arrays = new DeviceArrays(cpu);
            var data = new Data();
            foreach (var (name, values) in whole)
            {
                var length = values.Length / batch;
                data.Add(name, values[(first * length)..((first + count) * length)], arrays);
            }
            foreach (var (name, values) in common) data.Add(name, values, arrays);
            var y = arrays.Empty<float>(count * outputs);
            call(cpu, count, data, y);
            return arrays.Read(y);
        }
    }

    /// <summary>Named inputs, on the host and on the backend.</summary>
    private sealed class Data
    {
        private readonly Dictionary<string, (float[] Host, View<float> Device)> values = [];

        public View<float> this[string name] => values[name].Device;

        public float[] Host(string name) => values[name].Host;

        public void Add(string name, float[] host, DeviceArrays arrays) => values.Add(name, (host, arrays.From(host)));
    }
}
