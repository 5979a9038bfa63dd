using System.Numerics;
using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : ISampling
{
    /// <inheritdoc/>
    public void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output)
    {
        RequireLogits(logits, rows, columns, filter);
        Arguments.Length(output, (long)rows * columns);
        Launch(SamplingCuda.FilterLogits, rows, SamplingCuda.Threads, SamplingArgumentsOf(logits, columns, filter) with { Output = View(output) });
    }

    /// <inheritdoc/>
    public void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output)
    {
        RequireLogits(logits, rows, columns, filter);
        Arguments.Length(uniforms, rows);
        Arguments.Length(output, rows);
        Launch(SamplingCuda.Sample, rows, SamplingCuda.Threads, SamplingArgumentsOf(logits, columns, filter) with { Uniforms = View(uniforms), Chosen = View(output) });
    }

    private SamplingArguments SamplingArgumentsOf(View<float> logits, int columns, in SamplingFilter filter) => new()
    {
        Logits = View(logits),
        Faults = faults.Note,
        Columns = columns,
        PlaceBits = 32 - BitOperations.LeadingZeroCount((uint)(columns - 1)),
        TopK = filter.TopK,
        Temperature = filter.Temperature,
        TopP = filter.TopP,
        // The largest entry has this mass: with all entries as large, their sum still fits.
        Unit = Math.ScaleB(1, 61 - (32 - BitOperations.LeadingZeroCount((uint)(columns - 1)))),
    };

    private static void RequireLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(rows >= 0 && columns > 0, $"{rows} rows of {columns} logits", op);
        Arguments.Length(logits, (long)rows * columns, nameof(logits), op);
        SamplingRules.Require(filter);
    }
}

internal struct SamplingArguments
{
    public ArrayView<float> Logits, Output, Uniforms;
    public ArrayView<int> Chosen, Faults;
    public int Columns, PlaceBits, TopK;
    public float Temperature, TopP;
    public double Unit;
}

/// <summary>What a filter keeps of a row: everything above a threshold, and of the entries equal to it those up to a place.</summary>
internal struct SamplingThreshold
{
    /// <summary>Key of the threshold (see <see cref="SamplingCuda.KeyOf"/>).</summary>
    public uint Key;

    /// <summary>The last of its equals that stays.</summary>
    public int Place;

    /// <summary>Largest logit after the temperature.</summary>
    public float Max;

    /// <summary>Whether a key and place stay.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Keeps(uint key, int place) => key > Key || key == Key && place <= Place;
}

/// <summary>A group's shared memory.</summary>
internal struct SamplingBoard
{
    /// <summary>Masses of the bins of one digit, largest keys or first places first.</summary>
    public ArrayView<long> Masses;

    /// <summary>Counts, in the same memory.</summary>
    public ArrayView<int> Counts;

    /// <summary>A word of each warp, then what was found.</summary>
    public ArrayView<long> Words;

    /// <summary>Entries that can still stay, in no order: numbers and places.</summary>
    public ArrayView<float> Values;

    /// <inheritdoc cref="Values"/>
    public ArrayView<int> Places;

    /// <summary>How many; −1 where the row itself is read.</summary>
    public int Gathered;
}

/// <summary>Sum over the bins of a thread, over those of the threads before it, and over all.</summary>
internal struct SamplingSums
{
    public long Own, Before, All;
}

/// <summary>The bin that was looked for, what remains of the wanted sum in front of it, and what is in it.</summary>
internal struct SamplingBin
{
    public int Bin;
    public long Rest, Content;
}

/// <summary>
/// Choosing codes, a group per row. Nothing is sorted. An entry's mass is a whole number, exp(x − max) in units of 2⁻⁴⁷ of the largest (for a vocabulary of 16384), and a threshold is found digit by digit:
/// entries add their mass, or 1, to one of 2048 bins of their key's highest 11 bits; the first bin in which the sum from the top exceeds what is wanted is looked up, then among its entries the next 11 bits, then
/// the last 10. The draw is the same over places. Whole numbers may be added in any order, so a draw does not depend on timing.
/// </summary>
/// <remarks>After the first digit the entries that can still stay are gathered in shared memory; where they are more than fit there, and where nothing is filtered, the row is read for every digit.</remarks>
internal static class SamplingCuda
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    private const int Digit = 11, Bins = 1 << Digit, BinsOfThread = 16, Warps = 4;

    // Entries that fit into shared memory beside the bins.
    private const int MostGathered = 3072;

    /// <summary>Filtered logits.</summary>
    [CudaKernel]
    public static void FilterLogits(SamplingArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var board = NewBoard();
        board.Gathered = -1;
        var threshold = Threshold(a, row, ref board);
        for (var c = Group.IdxX; c < a.Columns; c += Threads)
        {
            var x = a.Logits[row + c] / a.Temperature;
            a.Output[row + c] = threshold.Keeps(KeyOf(x), c) ? x : float.NegativeInfinity;
        }
    }

    /// <summary>One draw: the first entry, in the vocabulary's order, up to which the mass exceeds its uniform number times the sum.</summary>
    [CudaKernel]
    public static void Sample(SamplingArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var board = NewBoard();
        board.Gathered = -1;
        var threshold = Threshold(a, row, ref board);
        var place = SelectPlace(a, row, board, threshold, false, a.Uniforms[Grid.IdxX], 0);
        if (Group.IdxX == 0) a.Chosen[Grid.IdxX] = place;
    }

    /// <summary>Bits of a number, turned so that their order as unsigned integers is the numbers'; −0 is 0.</summary>
    public static uint KeyOf(float x)
    {
        var bits = Interop.FloatAsInt(x + 0f);
        return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    }

    private static SamplingBoard NewBoard()
    {
        var masses = SharedMemory.Allocate<long>(Bins);
        return new SamplingBoard
        {
            Masses = masses,
            Counts = masses.Cast<int>(),
            Words = SharedMemory.Allocate<long>(Warps + 3),
            Values = SharedMemory.Allocate<float>(MostGathered),
            Places = SharedMemory.Allocate<int>(MostGathered),
        };
    }

    private static SamplingThreshold Threshold(in SamplingArguments a, long row, ref SamplingBoard board)
    {
        // Entries of −∞ are never kept: the least key that can be is the one above theirs.
        var threshold = new SamplingThreshold { Key = KeyOf(float.NegativeInfinity) + 1, Place = int.MaxValue, Max = float.NegativeInfinity };
        var counted = a.TopK > 0 && a.TopK < a.Columns;
        Clear(board);
        for (var c = Group.IdxX; c < a.Columns; c += 8 * Threads)
        {
            // Eight reads are under way at once.
            float x0 = At(a, row, c), x1 = At(a, row, c + Threads), x2 = At(a, row, c + 2 * Threads), x3 = At(a, row, c + 3 * Threads);
            float x4 = At(a, row, c + 4 * Threads), x5 = At(a, row, c + 5 * Threads), x6 = At(a, row, c + 6 * Threads), x7 = At(a, row, c + 7 * Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x0, c);
            threshold.Max = First(a, board, counted, threshold.Max, x1, c + Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x2, c + 2 * Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x3, c + 3 * Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x4, c + 4 * Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x5, c + 5 * Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x6, c + 6 * Threads);
            threshold.Max = First(a, board, counted, threshold.Max, x7, c + 7 * Threads);
        }
        threshold.Max = GroupReduce.Max(threshold.Max);
        if (threshold.Max == float.NegativeInfinity && Group.IdxX == 0) CudaFaults.Write(a.Faults, CudaFault.EmptyRow, Grid.IdxX, 0, 0);
        if (counted)
        {
            // The k-th largest; its equals stay.
            var found = Find(board, true, Sum(board, true), a.TopK - 1);
            var digit = (uint)(Bins - 1 - found.Bin);
            Gather(a, row, ref board, digit << 21);
            AddKeys(a, row, board, true, threshold, 10, digit);
            found = Find(board, true, Sum(board, true), found.Rest);
            digit = digit << Digit | (uint)(Bins - 1 - found.Bin);
            AddKeys(a, row, board, true, threshold, 0, digit);
            found = Find(board, true, Sum(board, true), found.Rest);
            var key = digit << 10 | (uint)(1023 - found.Bin);
            // Fewer than k entries are more than −∞.
            if (key > threshold.Key) threshold.Key = key;
        }
        if (a.TopP < 1)
        {
            // The smallest key with mass(> key) <= p · the sum: an entry stays if the mass in front of it is at most p.
            AddKeys(a, row, board, false, threshold, 21, 0);
            var sums = Sum(board, false);
            var found = Find(board, false, sums, (long)(a.TopP * (double)sums.All));
            var digit = (uint)(Bins - 1 - found.Bin);
            if (!counted) Gather(a, row, ref board, digit << 21);
            AddKeys(a, row, board, false, threshold, 10, digit);
            found = Find(board, false, Sum(board, false), found.Rest);
            digit = digit << Digit | (uint)(Bins - 1 - found.Bin);
            AddKeys(a, row, board, false, threshold, 0, digit);
            found = Find(board, false, Sum(board, false), found.Rest);
            threshold.Key = digit << 10 | (uint)(1023 - found.Bin);
            // Of equals, the first in the vocabulary counts first: the i-th stays while the mass above and that of i − 1 is at most p.
            var each = MassOf(a, ValueOf(threshold.Key), threshold.Max);
            if (each > 0)
            {
                long last = found.Rest / each, equals = found.Content / each;
                if (last + 1 < equals) threshold.Place = SelectPlace(a, row, board, threshold, true, 0, last);
            }
        }
        return threshold;
    }

    /// <summary>The first place at which the sum exceeds what is wanted: of equals of the threshold, counted, or of the mass that stays, a share of it.</summary>
    private static int SelectPlace(in SamplingArguments a, long row, in SamplingBoard board, in SamplingThreshold threshold, bool equals, float share, long wanted)
    {
        var place = 0;
        var entries = Entries(a, board);
        for (var left = a.PlaceBits; left > 0;)
        {
            var bits = left > Digit ? Digit : left;
            var highest = left == a.PlaceBits;
            left -= bits;
            Clear(board);
            for (var i = Group.IdxX; i < entries; i += 4 * Threads)
            {
                float x0 = Entry(a, row, board, i), x1 = Entry(a, row, board, i + Threads), x2 = Entry(a, row, board, i + 2 * Threads), x3 = Entry(a, row, board, i + 3 * Threads);
                AddPlace(a, board, threshold, equals, x0, i, left, bits, place);
                AddPlace(a, board, threshold, equals, x1, i + Threads, left, bits, place);
                AddPlace(a, board, threshold, equals, x2, i + 2 * Threads, left, bits, place);
                AddPlace(a, board, threshold, equals, x3, i + 3 * Threads, left, bits, place);
            }
            var sums = Sum(board, equals);
            if (highest && !equals)
            {
                wanted = (long)(share * (double)sums.All);
                // Where rounding leaves none, the last.
                if (wanted >= sums.All) wanted = sums.All - 1;
            }
            var found = Find(board, equals, sums, wanted);
            wanted = found.Rest;
            place = place << bits | found.Bin;
        }
        return place;
    }

    /// <summary>An entry seen for the first time: the largest so far.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float First(in SamplingArguments a, in SamplingBoard board, bool counted, float max, float x, int place)
    {
        if (place >= a.Columns) return max;
        // NaN and +∞ have no probability to compare with the others; −∞ is an entry that was removed before.
        if (!(x < float.PositiveInfinity)) CudaFaults.Write(a.Faults, CudaFault.Logit, Grid.IdxX, place, (int)Interop.FloatAsInt(x));
        x /= a.Temperature;
        if (counted) Atomic.Add(ref board.Counts[Bins - 1 - (int)(KeyOf(x) >> 21)], 1);
        return x > max ? x : max;
    }

    /// <summary>Entries whose keys are at least a bound go to shared memory, where there is room for all.</summary>
    private static void Gather(in SamplingArguments a, long row, ref SamplingBoard board, uint least)
    {
        var counter = board.Words.Cast<int>();
        if (Group.IdxX == 0) counter[0] = 0;
        Group.Barrier();
        for (var c = Group.IdxX; c < a.Columns; c += 8 * Threads)
        {
            float x0 = At(a, row, c), x1 = At(a, row, c + Threads), x2 = At(a, row, c + 2 * Threads), x3 = At(a, row, c + 3 * Threads);
            float x4 = At(a, row, c + 4 * Threads), x5 = At(a, row, c + 5 * Threads), x6 = At(a, row, c + 6 * Threads), x7 = At(a, row, c + 7 * Threads);
            Keep(a, board, least, x0, c);
            Keep(a, board, least, x1, c + Threads);
            Keep(a, board, least, x2, c + 2 * Threads);
            Keep(a, board, least, x3, c + 3 * Threads);
            Keep(a, board, least, x4, c + 4 * Threads);
            Keep(a, board, least, x5, c + 5 * Threads);
            Keep(a, board, least, x6, c + 6 * Threads);
            Keep(a, board, least, x7, c + 7 * Threads);
        }
        Group.Barrier();
        var count = counter[0];
        board.Gathered = count <= MostGathered ? count : -1;
        // The counter's word is a warp's from here on.
        Group.Barrier();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep(in SamplingArguments a, in SamplingBoard board, uint least, float x, int place)
    {
        if (place >= a.Columns) return;
        x /= a.Temperature;
        if (KeyOf(x) < least) return;
        var at = Atomic.Add(ref board.Words.Cast<int>()[0], 1);
        if (at >= MostGathered) return;
        board.Values[at] = x;
        board.Places[at] = place;
    }

    /// <summary>Masses or counts by the digit of the key that begins at bit <paramref name="shift"/>, of the entries above the threshold whose higher digits are <paramref name="prefix"/>.</summary>
    private static void AddKeys(in SamplingArguments a, long row, in SamplingBoard board, bool counted, in SamplingThreshold threshold, int shift, uint prefix)
    {
        Clear(board);
        var entries = Entries(a, board);
        for (var i = Group.IdxX; i < entries; i += 4 * Threads)
        {
            float x0 = Entry(a, row, board, i), x1 = Entry(a, row, board, i + Threads), x2 = Entry(a, row, board, i + 2 * Threads), x3 = Entry(a, row, board, i + 3 * Threads);
            AddKey(a, board, counted, threshold, x0, shift, prefix);
            AddKey(a, board, counted, threshold, x1, shift, prefix);
            AddKey(a, board, counted, threshold, x2, shift, prefix);
            AddKey(a, board, counted, threshold, x3, shift, prefix);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddKey(in SamplingArguments a, in SamplingBoard board, bool counted, in SamplingThreshold threshold, float x, int shift, uint prefix)
    {
        var key = KeyOf(x);
        // The digit and what is above it: of 11 bits, the lowest of 10.
        var bits = shift == 0 ? 10 : Digit;
        if (shift != 21 && key >> shift >> bits != prefix) return;
        var bin = (1 << bits) - 1 - (int)(key >> shift & (1u << bits) - 1);
        // The k-th largest may be −∞ where few entries are more.
        if (counted) Atomic.Add(ref board.Counts[bin], 1);
        else if (key >= threshold.Key) Atomic.Add(ref board.Masses[bin], MassOf(a, x, threshold.Max));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPlace(in SamplingArguments a, in SamplingBoard board, in SamplingThreshold threshold, bool equals, float x, int i, int left, int bits, int prefix)
    {
        var key = KeyOf(x);
        if (key < threshold.Key || equals && key != threshold.Key) return;
        var place = board.Gathered >= 0 ? board.Places[i] : i;
        if (place >> left >> bits != prefix || !threshold.Keeps(key, place)) return;
        var bin = place >> left & (1 << bits) - 1;
        if (equals) Atomic.Add(ref board.Counts[bin], 1);
        else Atomic.Add(ref board.Masses[bin], MassOf(a, x, threshold.Max));
    }

    /// <summary>exp(x − max), a whole number of units.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long MassOf(in SamplingArguments a, float x, float max) => (long)(DeviceMath.Exp(x - max) * a.Unit);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float At(in SamplingArguments a, long row, int place) => place < a.Columns ? a.Logits[row + place] : float.NegativeInfinity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Entries(in SamplingArguments a, in SamplingBoard board) => board.Gathered >= 0 ? board.Gathered : a.Columns;

    /// <summary>An entry after the temperature; beyond the last, −∞, which never stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Entry(in SamplingArguments a, long row, in SamplingBoard board, int i)
    {
        if (i >= Entries(a, board)) return float.NegativeInfinity;
        return board.Gathered >= 0 ? board.Values[i] : a.Logits[row + i] / a.Temperature;
    }

    private static float ValueOf(uint key) => Interop.IntAsFloat((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);

    /// <summary>Empty bins, for every thread to see.</summary>
    private static void Clear(in SamplingBoard board)
    {
        for (var i = Group.IdxX; i < Bins; i += Threads) board.Masses[i] = 0;
        Group.Barrier();
    }

    /// <summary>Sums over bins, after what all threads added to them.</summary>
    private static SamplingSums Sum(in SamplingBoard board, bool counted)
    {
        Group.Barrier();
        var first = Group.IdxX * BinsOfThread;
        long own = 0;
        for (var i = first; i < first + BinsOfThread; i++) own += counted ? board.Counts[i] : board.Masses[i];
        // Over the lanes up to this one, then over the warps in front of it.
        var upTo = own;
        for (var offset = 1; offset < GroupReduce.WarpSize; offset <<= 1)
        {
            var other = Warp.ShuffleUp(upTo, offset);
            if (Warp.LaneIdx >= offset) upTo += other;
        }
        var warp = Group.IdxX >> 5;
        if (Warp.LaneIdx == GroupReduce.WarpSize - 1) board.Words[warp] = upTo;
        if (Group.IdxX < 3) board.Words[Warps + Group.IdxX] = 0;
        Group.Barrier();
        long w0 = board.Words[0], w1 = board.Words[1], w2 = board.Words[2], w3 = board.Words[3];
        var before = upTo - own;
        if (warp > 0) before += w0;
        if (warp > 1) before += w1;
        if (warp > 2) before += w2;
        return new SamplingSums { Own = own, Before = before, All = w0 + w1 + w2 + w3 };
    }

    /// <summary>The first bin up to which the sum exceeds <paramref name="wanted"/>; the first of all where there is none, as in a row that is refused.</summary>
    private static SamplingBin Find(in SamplingBoard board, bool counted, in SamplingSums sums, long wanted)
    {
        if (sums.Before <= wanted && sums.Before + sums.Own > wanted)
        {
            var bin = Group.IdxX * BinsOfThread;
            long sum = sums.Before, content = counted ? board.Counts[bin] : board.Masses[bin];
            while (sum + content <= wanted)
            {
                sum += content;
                bin++;
                content = counted ? board.Counts[bin] : board.Masses[bin];
            }
            board.Words[Warps] = bin;
            board.Words[Warps + 1] = wanted - sum;
            board.Words[Warps + 2] = content;
        }
        Group.Barrier();
        var found = new SamplingBin { Bin = (int)board.Words[Warps], Rest = board.Words[Warps + 1], Content = board.Words[Warps + 2] };
        // Found words are written again only after the barriers of the next sum.
        return found;
    }
}
