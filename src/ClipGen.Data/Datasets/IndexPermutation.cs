using System.Numerics;
using ClipGen.Kernels;

namespace ClipGen.Data.Datasets;

/// <summary>
/// A pseudo-random order of the numbers 0 to count - 1 that needs no table: a Feistel network (Luby and Rackoff 1988) with Philox as its round function
/// permutes the numbers below the next power of four, and a number that lands outside is sent through again until it lands inside (cycle walking, Black and
/// Rogaway 2002).
/// </summary>
internal readonly struct IndexPermutation
{
    // Four rounds look random to any observer with many numbers; small sets have few, and rounds are cheap.
    private const int Rounds = 8;

    private readonly long count;
    private readonly int halfBits;
    private readonly ulong key;

    /// <summary>The order that a key gives.</summary>
    public IndexPermutation(long count, ulong key)
    {
        this.count = count;
        this.key = key;
        halfBits = Math.Max((64 - BitOperations.LeadingZeroCount((ulong)count - 1) + 1) / 2, 1);
    }

    /// <summary>The number at a place.</summary>
    public long this[long place]
    {
        get
        {
            var at = Permute(place);
            while (at >= count) at = Permute(at);
            return at;
        }
    }

    private long Permute(long value)
    {
        var mask = (1u << halfBits) - 1;
        var (left, right) = ((uint)(value >> halfBits) & mask, (uint)value & mask);
        for (var round = 0u; round < Rounds; round++)
        {
            var word = Philox.Block(right, 0, round, DataRandomPurpose.Order, (uint)key, (uint)(key >> 32)).X;
            (left, right) = (right, left ^ word & mask);
        }
        return (long)left << halfBits | right;
    }
}
