using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>Which elements are dropped, and that it is the documented ones.</summary>
public sealed class DropoutTests
{
    private static readonly RandomKey Key = new(0xFEDCBA9876543210, 5, 9);

    [Fact]
    public void SixteenAtOnceAreTheSameBits()
    {
        // Blocks whose counter carries into its upper word among the four, and the last ones.
        foreach (var block in new ulong[] { 0, 1, 4, (1UL << 32) - 1, (1UL << 32) - 3, 1UL << 40, (1UL << 61) - 4 })
        {
            PhiloxKernel.Bits(Key, block, out var low, out var high);
            for (var i = 0; i < PhiloxKernel.Indices; i++)
                Assert.Equal(Philox.Bits(Key, (long)(4 * block) + i), i < 8 ? low[i] : high[i - 8]);
        }
    }

    [Fact]
    public unsafe void FactorsBeginAnywhere()
    {
        var mask = new DropoutMask(0.37f, Key);
        foreach (var first in new[] { 0L, 1, 2, 3, 4, 61, (1L << 34) - 2 })
            foreach (var count in new[] { 1, 2, 5, 12, 13, 16, 17, 40 })
            {
                var buffer = new float[DropoutKernel.FactorFloats(count) + 1];
                buffer[^1] = 42;
                fixed (float* start = buffer)
                {
                    var factors = DropoutKernel.Factors(mask, first, count, start);
                    for (var i = 0; i < count; i++) Assert.Equal(mask.Factor(first + i), factors[i]);
                }
                Assert.Equal(42, buffer[^1]);
            }
    }

    [Theory]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    public void TheShareThatIsDroppedIsTheProbability(float probability)
    {
        const int count = 1_000_000;
        using var cpu = new CpuBackend(2);
        using var arrays = new DeviceArrays(cpu);
        var y = arrays.Empty<float>(count);
        cpu.Dropout(new DropoutMask(probability, Key), arrays.From(Enumerable.Repeat(1f, count).ToArray()), y);
        var values = arrays.Read(y);
        var share = values.Count(x => x == 0) / (double)count;
        // Five standard deviations of a binomial share.
        Assert.True(Math.Abs(share - probability) <= 5 * Math.Sqrt(probability * (1 - probability) / count), $"{share} of the elements were dropped");
        Assert.All(values, x => Assert.True(x == 0 || x == 1 / (1 - probability)));
    }

    [Fact]
    public void TheMaskDependsOnTheKeyAlone()
    {
        Assert.Equal(Dropped(Key, 1), Dropped(Key, 3));
        Assert.NotEqual(Dropped(Key, 1), Dropped(Key with { Step = Key.Step + 1 }, 1));

        static float[] Dropped(RandomKey key, int threads)
        {
            using var cpu = new CpuBackend(threads);
            using var arrays = new DeviceArrays(cpu);
            var x = arrays.From(CaseData.Normal(200_000, 1));
            cpu.Dropout(new DropoutMask(0.2f, key), x, x);
            return arrays.Read(x);
        }
    }
}
