using System.Numerics;
using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>
/// How rows of columns are shared out where something runs down the columns: a group of threads has a stripe of at most 32 columns and a block of rows. Its threads lie along the stripe, so that neighbours read neighbours,
/// and as often as that leaves room for, one lane below the other: lane l of L takes the rows l, l + L, l + 2 L … of the block.
/// </summary>
/// <param name="Rows">Rows of a stretch; no block crosses its end.</param>
/// <param name="Columns">Columns.</param>
/// <param name="Span">Columns whose end no stripe crosses.</param>
/// <param name="SpanStripes">Stripes of a span.</param>
/// <param name="Stripe">Columns of a stripe.</param>
/// <param name="Stripes">Stripes.</param>
/// <param name="Shift">Logarithm of the threads along a stripe.</param>
/// <param name="BlockRows">Rows of a block.</param>
/// <param name="Blocks">Blocks of a stretch.</param>
internal readonly record struct StripeShape(long Rows, int Columns, int Span, int SpanStripes, int Stripe, int Stripes, int Shift, int BlockRows, int Blocks)
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    private const int MostColumns = 32;

    // Groups that fill a card of some 130 multiprocessors, sixteen to each; a constant, so that no sum depends on the card.
    private const int Aim = 2048;

    // Rows of a thread at least: below that there is more to add up afterwards than is gained.
    private const int LeastRows = 8;

    /// <summary>Lanes of a group.</summary>
    public int Lanes => Threads >> Shift;

    /// <summary>Stripes and blocks by the sizes of a stretch alone, however many stretches there are: a picture's sums are the same alone and in company.</summary>
    /// <param name="rows">Rows of a stretch.</param>
    /// <param name="columns">Columns, one at least.</param>
    /// <param name="together">Neighbouring columns that lie in one stripe, or fill stripes of their own if they are too many for one; divides the columns.</param>
    public static StripeShape Of(long rows, int columns, int together = 1)
    {
        int span = together > MostColumns ? together : columns, stripe = together > MostColumns ? MostColumns : Math.Min(columns, MostColumns / together * together);
        int spanStripes = (span + stripe - 1) / stripe, stripes = columns / span * spanStripes, shift = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)stripe)), lanes = Threads >> shift;
        var each = Math.Max(LeastRows, (rows * stripes + lanes * Aim - 1) / (lanes * Aim));
        var blockRows = checked((int)((each + 3) / 4 * 4 * lanes));
        return new StripeShape(rows, columns, span, spanStripes, stripe, stripes, shift, blockRows, checked((int)Math.Max(1, (rows + blockRows - 1) / blockRows)));
    }

    /// <summary>Groups of threads for this many stretches.</summary>
    public long Groups(long stretches) => stretches * Blocks * Stripes;

    /// <summary>In a kernel: what this thread has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public StripePlace Place()
    {
        int rest = Grid.IdxX / Stripes, number = Grid.IdxX - rest * Stripes, stretch = rest / Blocks, span = number / SpanStripes;
        int first = span * Span + (number - span * SpanStripes) * Stripe, end = Math.Min(first + Stripe, (span + 1) * Span), column = first + (Group.IdxX & (1 << Shift) - 1);
        var firstRow = (long)(rest - stretch * Blocks) * BlockRows;
        var endRow = stretch * Rows + Math.Min(firstRow + BlockRows, Rows);
        var inside = column < end;
        return new StripePlace
        {
            Inside = inside,
            Stretch = stretch,
            Block = rest - stretch * Blocks,
            Stripe = number,
            First = first,
            Width = end - first,
            Column = inside ? column : first,
            Lane = Group.IdxX >> Shift,
            Row = inside ? stretch * Rows + firstRow + (Group.IdxX >> Shift) : endRow,
            End = endRow,
        };
    }
}

/// <summary>A thread's share: a column and every so many rows from one to another. A thread beyond the stripe's end has its first column and no rows.</summary>
internal struct StripePlace
{
    public bool Inside;
    public int Stretch, Block, Stripe, First, Width, Column, Lane;
    public long Row, End;
}

/// <summary>Sums over the lanes of a group.</summary>
internal static class StripeReduce
{
    /// <summary>The sum of a column's lanes, in their order, for the threads of the first one; every thread of the group calls.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Sum(double value, int shift)
    {
        var shared = SharedMemory.Allocate<double>(StripeShape.Threads);
        shared[Group.IdxX] = value;
        Group.Barrier();
        if (Group.IdxX >> shift == 0)
            for (var at = Group.IdxX + (1 << shift); at < StripeShape.Threads; at += 1 << shift) value += shared[at];
        return value;
    }
}
