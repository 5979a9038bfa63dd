using System.Text.Json;
using ClipGen.Kernels;
using ClipGen.Testing;

namespace ClipGen.Tensors.Tests;

/// <summary>
/// The sampling filter against PyTorch (<c>tests/golden/sampling</c>): the same entries kept, values within 1e-6 relative. And draws from
/// the golden distributions: exactly the first index whose cumulative probability exceeds u.
/// </summary>
public sealed class GoldenSamplingTests : IDisposable
{
    private static readonly IReadOnlyDictionary<string, GoldenTensor> Golden = GoldenTensors.Load("sampling", "sampling.safetensors");
    private static readonly GoldenCase[] Cases = ReadCases();

    private Device? device;

    public static TheoryData<string> Devices() => [.. GoldenDevices.Names];

    [Fact]
    public void AllCasesAreThere() => Assert.Equal(Golden.Keys.Count(name => name.EndsWith(".filtered", StringComparison.Ordinal)), Cases.Length);

    [Theory]
    [MemberData(nameof(Devices))]
    public void FilterKeepsTheSameEntries(string deviceName)
    {
        device = new Device(GoldenDevices.Create(deviceName));
        foreach (var test in Cases)
        {
            using var scope = new TensorScope();
            var found = Logits(test).FilterLogits(test.Filter).ToFloats();
            var kept = test.Kept;
            Assert.Equal(kept, found.Select(value => !float.IsNegativeInfinity(value)));
            if (test.Filtered.DType != "F32") continue;
            for (var i = 0; i < kept.Length; i++)
            {
                var expected = test.Filtered.Floats[i];
                if (kept[i] && !(Math.Abs(found[i] - expected) <= 1e-6 * Math.Abs(expected))) Assert.Fail($"case {test.Index}, entry {i}: {found[i]:R}, expected {expected:R}");
            }
        }
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void DrawsInvertTheCumulativeProbability(string deviceName)
    {
        device = new Device(GoldenDevices.Create(deviceName));
        var draws = 0;
        foreach (var test in Cases)
        {
            var logits = test.Logits;
            int columns = logits.Axes[1], rows = logits.Axes[0];
            for (var row = 0; row < rows; row++)
            {
                // The middle of every kept entry's share of [0, 1), and both ends of the interval.
                var kept = Enumerable.Range(0, columns).Where(column => test.Kept[row * columns + column]).ToArray();
                var scaled = kept.Select(column => (double)(logits.Floats[row * columns + column] / test.Filter.Temperature)).ToArray();
                var shares = scaled.Select(value => Math.Exp(value - scaled.Max())).ToArray();
                var total = shares.Sum();
                List<(float U, int Index)> expected = [(0, kept[0]), (MathF.BitDecrement(1), kept[^1])];
                var before = 0.0;
                for (var i = 0; i < kept.Length; i++)
                {
                    var share = shares[i] / total;
                    // Shares of less than a few units of u's 24 bits cannot be hit for sure; the last one of a row may be such a share.
                    if (share > 1e-6) expected.Add(((float)(before + share / 2), kept[i]));
                    else if (i == 0 || i == kept.Length - 1) expected.RemoveAll(draw => draw.Index == kept[i]);
                    before += share;
                }
                using var scope = new TensorScope();
                var repeated = device.From([.. Enumerable.Repeat(logits.Floats.AsSpan(row * columns, columns).ToArray(), expected.Count).SelectMany(values => values)], new Shape(expected.Count, columns));
                var uniforms = device.From([.. expected.Select(draw => draw.U)], new Shape(expected.Count));
                Assert.Equal(expected.Select(draw => draw.Index), repeated.Sample(test.Filter, uniforms).ToArray<int>());
                draws += expected.Count;
            }
        }
        // Cases that all fell through the share's limit would test nothing.
        Assert.True(draws > 500);
        Assert.Equal(0, device.Memory.LiveBlocks);
    }

    public void Dispose() => device?.Dispose();

    private Tensor Logits(GoldenCase test) => device!.From(test.Logits.Floats, new Shape(test.Logits.Axes));

    private static GoldenCase[] ReadCases()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile("sampling", "sampling.json")));
        return
        [
            .. document.RootElement.GetProperty("cases").EnumerateArray().Select(item => new GoldenCase(
                item.GetProperty("case").GetInt32(),
                item.GetProperty("logits").GetString()!,
                new SamplingFilter(
                    item.GetProperty("temperature").GetSingle(),
                    item.GetProperty("top_k") is { ValueKind: JsonValueKind.Number } k ? k.GetInt32() : 0,
                    item.GetProperty("top_p").GetSingle()))),
        ];
    }

    private sealed record GoldenCase(int Index, string Name, SamplingFilter Filter)
    {
        public GoldenTensor Logits => Golden[$"logits.{Name}"];

        public GoldenTensor Filtered => Golden[$"case{Index}.filtered"];

        /// <summary>Which entries PyTorch kept; for the large vocabulary only this is stored.</summary>
        public bool[] Kept => Filtered.DType == "F32"
            ? [.. Filtered.Floats.Select(value => !float.IsNegativeInfinity(value))]
            : [.. Filtered.Bytes.Select(value => value != 0)];
    }
}
