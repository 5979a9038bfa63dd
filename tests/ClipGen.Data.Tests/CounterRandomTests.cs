using ClipGen.Kernels;

namespace ClipGen.Data.Tests;

/// <summary>Random numbers by place.</summary>
public sealed class CounterRandomTests
{
    [Fact]
    public void PlacesDecide()
    {
        uint[] Draw(ulong seed, uint purpose, params long[] place)
        {
            var random = new CounterRandom(seed, purpose, place);
            return [.. Enumerable.Range(0, 9).Select(_ => random.NextBits())];
        }

        var one = Draw(5, 7, 1, 2);
        Assert.Equal(one, Draw(5, 7, 1, 2));
        uint[][] others = [Draw(6, 7, 1, 2), Draw(5 + (1UL << 32), 7, 1, 2), Draw(5, 8, 1, 2), Draw(5, 7, 2, 1), Draw(5, 7, 1), Draw(5, 7, 1, 2, 0), Draw(5, 7, 1, 2 + (1L << 32))];
        // Nine equal words of 32 bits by chance: never.
        Assert.All(others, other => Assert.DoesNotContain(other, word => one.Contains(word)));
    }

    [Fact]
    public void NumbersArePhiloxWords()
    {
        var random = new CounterRandom(0x1122334455667788, 3);
        var (x, y, z, w) = Philox.Block(0, 0, uint.MaxValue, 3, 0x55667788, 0x11223344);
        Assert.Equal([x, y, z, w], Enumerable.Range(0, 4).Select(_ => random.NextBits()));
        Assert.Equal(Philox.Block(1, 0, uint.MaxValue, 3, 0x55667788, 0x11223344).X, random.NextBits());
    }

    [Fact]
    public void NumbersAreUniform()
    {
        var random = new CounterRandom(1, 2, 3);
        var counts = new int[7];
        var sum = 0.0;
        for (var i = 0; i < 70_000; i++)
        {
            counts[random.NextBelow(7)]++;
            var u = random.NextUniform();
            Assert.InRange(u, 0, 1 - 1e-10);
            sum += u;
        }
        // Six deviations: sqrt(70000 * 6/49) = 93 per bin; sqrt(70000 / 12) = 76 for the sum.
        Assert.All(counts, count => Assert.InRange(count, 10_000 - 6 * 93, 10_000 + 6 * 93));
        Assert.InRange(sum, 35_000 - 6 * 76, 35_000 + 6 * 76);
        Assert.Throws<ArgumentOutOfRangeException>(() => random.NextBelow(0));
    }
}
