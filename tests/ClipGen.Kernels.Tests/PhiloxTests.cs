namespace ClipGen.Kernels.Tests;

/// <summary>The random numbers are the published ones, and a function of the index alone.</summary>
public sealed class PhiloxTests
{
    private static readonly RandomKey Key = new(0xFEDCBA9876543210, 5, 9);

    // Known answers of philox4x32-10 from the Random123 distribution (Salmon et al. 2011): zeros, ones, digits of pi.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void KnownAnswers(uint c0, uint c1, uint c2, uint c3, uint key0, uint key1, uint x, uint y, uint z, uint w) =>
        Assert.Equal((x, y, z, w), Philox.Block(c0, c1, c2, c3, key0, key1));

    [Fact]
    public void BitsAreTheWordsOfTheDocumentedCounter()
    {
        foreach (var index in new[] { 0L, 4, (1L << 34) + 8, long.MaxValue - 3 })
        {
            var block = (ulong)index >> 2;
            var (x, y, z, w) = Philox.Block((uint)block, (uint)(block >> 32), Key.Step, Key.Purpose, 0x76543210, 0xFEDCBA98);
            Assert.Equal([x, y, z, w], [Philox.Bits(Key, index), Philox.Bits(Key, index + 1), Philox.Bits(Key, index + 2), Philox.Bits(Key, index + 3)]);
        }
    }

    [Fact]
    public void UniformIsTheUpperTwentyFourBits()
    {
        for (var i = 0L; i < 1000; i++)
        {
            var u = Philox.Uniform(Key, i);
            Assert.Equal(Philox.Bits(Key, i) >> 8, (uint)(u * (1 << 24)));
            Assert.InRange(u, 0f, MathF.BitDecrement(1));
        }
    }

    [Fact]
    public void EveryPartOfTheKeyMatters()
    {
        RandomKey[] keys = [Key, Key with { Seed = Key.Seed + 1 }, Key with { Seed = Key.Seed ^ (1UL << 63) }, Key with { Purpose = 6 }, Key with { Step = 10 }];
        Assert.Equal(keys.Length, keys.Select(key => Philox.Bits(key, 7)).Distinct().Count());
    }

    [Fact]
    public void FillDoesNotDependOnStartSplitOrThreads()
    {
        // Longer than one part of the parallel loop, so that several threads fill it.
        const int count = 200_003;
        using var one = new CpuBackend(1);
        using var three = new CpuBackend(3);
        using var reference = new ReferenceBackend();
        var whole = Fill(one, 11, count);
        Assert.Equal(whole, Fill(three, 11, count));
        Assert.Equal(whole, Fill(reference, 11, count));
        var from = 0;
        foreach (var piece in new[] { 1, 2, 5, 65_535, 65_537, 17 })
        {
            Assert.Equal(whole.AsSpan(from, piece).ToArray(), Fill(three, 11 + from, piece));
            from += piece;
        }
    }

    private static float[] Fill(IBackend backend, long first, int count)
    {
        using var arrays = new DeviceArrays(backend);
        var output = arrays.Empty<float>(count);
        backend.FillUniform(Key, first, output);
        return arrays.Read(output);
    }
}
