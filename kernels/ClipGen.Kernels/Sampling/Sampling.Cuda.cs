using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : ISampling
{
    /// <inheritdoc/>
    public void FilterLogits(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> output)
    {
        RequireLogits(logits, rows, columns, filter);
        Arguments.Length(output, (long)rows * columns);
        Launch(SamplingCuda.FilterLogits, rows, ThreadsOf(columns), SamplingArgumentsOf(logits, columns, filter) with { Output = View(output) });
    }

    /// <inheritdoc/>
    public void Sample(View<float> logits, int rows, int columns, in SamplingFilter filter, View<float> uniforms, View<int> output)
    {
        RequireLogits(logits, rows, columns, filter);
        Arguments.Length(uniforms, rows);
        Arguments.Length(output, rows);
        Launch(SamplingCuda.Sample, rows, ThreadsOf(columns), SamplingArgumentsOf(logits, columns, filter) with { Uniforms = View(uniforms), Chosen = View(output) });
    }

    private SamplingArguments SamplingArgumentsOf(View<float> logits, int columns, in SamplingFilter filter) =>
        new() { Logits = View(logits), Faults = faults.Note, Columns = columns, TopK = filter.TopK, Temperature = filter.Temperature, TopP = filter.TopP };

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
    public int Columns, TopK;
    public float Temperature, TopP;
}

/// <summary>What a filter keeps of a row: everything above a threshold, and of the entries equal to it the first so many.</summary>
internal struct SamplingThreshold
{
    /// <summary>Key of the threshold (see <see cref="SamplingCuda.KeyOf"/>).</summary>
    public uint Key;

    /// <summary>Equal entries that stay.</summary>
    public int Equal;

    /// <summary>Largest logit after the temperature.</summary>
    public float Max;
}

/// <summary>
/// Choosing codes, a group per row. Nothing is sorted: thresholds are found by halving the range of 32-bit keys, whose order is that of the numbers, with a count or a sum over the row each time;
/// all sums have one order, so a draw does not depend on timing.
/// </summary>
/// <remarks>Ranges are halved by a shift: of an unsigned division by a power of two ILGPU 1.5.3 makes an arithmetic shift, which on a card never ended where a range was 2³¹ or more.</remarks>
internal static class SamplingCuda
{
    /// <summary>Filtered logits.</summary>
    [CudaKernel]
    public static void FilterLogits(SamplingArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var threshold = Threshold(a, row);
        // Entries equal to the threshold stay by their places: each thread has a stretch of neighbours, and counts those before it.
        var (first, end) = Stretch(a.Columns);
        var equal = Before(CountEqual(a, row, threshold.Key, first, end));
        for (var c = first; c < end; c++)
        {
            var x = a.Logits[row + c] / a.Temperature;
            var key = KeyOf(x);
            var kept = key > threshold.Key || key == threshold.Key && equal < threshold.Equal;
            if (key == threshold.Key) equal++;
            a.Output[row + c] = kept ? x : float.NegativeInfinity;
        }
    }

    /// <summary>One draw.</summary>
    [CudaKernel]
    public static void Sample(SamplingArguments a)
    {
        var row = (long)Grid.IdxX * a.Columns;
        var threshold = Threshold(a, row);
        var (first, end) = Stretch(a.Columns);
        var rank = Before(CountEqual(a, row, threshold.Key, first, end));
        // The mass of each stretch, then the mass in front of it.
        double mass = 0;
        var equal = rank;
        var last = -1;
        for (var c = first; c < end; c++)
        {
            var x = a.Logits[row + c] / a.Temperature;
            var key = KeyOf(x);
            var kept = key > threshold.Key || key == threshold.Key && equal < threshold.Equal;
            if (key == threshold.Key) equal++;
            if (!kept) continue;
            mass += DeviceMath.Exp(x - threshold.Max);
            last = c;
        }
        var total = GroupReduce.Sum(mass);
        var before = Before(mass);
        var wanted = a.Uniforms[Grid.IdxX] * total;
        // The first kept entry whose cumulative mass exceeds what is wanted; the last kept one if rounding leaves none.
        var found = int.MaxValue;
        if (before + mass > wanted)
        {
            equal = rank;
            var sum = before;
            for (var c = first; c < end && found == int.MaxValue; c++)
            {
                var x = a.Logits[row + c] / a.Temperature;
                var key = KeyOf(x);
                var kept = key > threshold.Key || key == threshold.Key && equal < threshold.Equal;
                if (key == threshold.Key) equal++;
                if (!kept) continue;
                sum += DeviceMath.Exp(x - threshold.Max);
                if (sum > wanted) found = c;
            }
        }
        var place = GroupReduce.PlaceOfMin(found, found);
        var lastKept = GroupReduce.PlaceOfMin(-last, last);
        if (Group.IdxX == 0) a.Chosen[Grid.IdxX] = place == int.MaxValue ? lastKept : place;
    }

    /// <summary>Bits of a number, turned so that their order as unsigned integers is the numbers'; −0 is 0.</summary>
    public static uint KeyOf(float x)
    {
        var bits = Interop.FloatAsInt(x + 0f);
        return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    }

    private static SamplingThreshold Threshold(in SamplingArguments a, long row)
    {
        var max = float.NegativeInfinity;
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX)
        {
            var x = a.Logits[row + c];
            // NaN and +∞ have no probability to compare with the others; −∞ is an entry that was removed before.
            if (!(x < float.PositiveInfinity)) CudaFaults.Write(a.Faults, CudaFault.Logit, Grid.IdxX, c, (int)Interop.FloatAsInt(x));
            x /= a.Temperature;
            if (x > max) max = x;
        }
        max = GroupReduce.Max(max);
        if (max == float.NegativeInfinity && Group.IdxX == 0) CudaFaults.Write(a.Faults, CudaFault.EmptyRow, Grid.IdxX, 0, 0);
        // Entries of −∞ are never kept: the least key that can be is the one above theirs.
        var lowest = KeyOf(float.NegativeInfinity) + 1;
        var threshold = lowest;
        if (a.TopK > 0 && a.TopK < a.Columns)
        {
            // The largest key that at least k entries reach: the k-th largest entry; its equals stay.
            uint low = lowest, high = KeyOf(max);
            while (low < high)
            {
                var middle = low + (high - low + 1 >> 1);
                var count = 0;
                for (var c = Group.IdxX; c < a.Columns; c += Group.DimX)
                    if (KeyOf(a.Logits[row + c] / a.Temperature) >= middle) count++;
                if (GroupReduce.Sum(count) >= a.TopK) low = middle;
                else high = middle - 1;
            }
            threshold = low;
        }
        var equal = int.MaxValue;
        if (a.TopP < 1)
        {
            var total = MassAbove(a, row, threshold, max);
            var allowed = a.TopP * total;
            // The smallest key k with mass(> k) <= p: an entry stays if the mass before it is at most p.
            uint low = threshold, high = KeyOf(max);
            while (low < high)
            {
                var middle = low + (high - low >> 1);
                if (MassAbove(a, row, middle + 1, max) <= allowed) high = middle;
                else low = middle + 1;
            }
            threshold = low;
            // Of equals, the first in the vocabulary counts first: i of them stay while the mass above and that of i − 1 is at most p.
            var above = MassAbove(a, row, threshold + 1, max);
            var each = DeviceMath.Exp(ValueOf(threshold) - max);
            var room = (allowed - above) / each;
            equal = !(room < 1e9) ? int.MaxValue : (int)room + 1;
        }
        return new SamplingThreshold { Key = threshold, Equal = equal, Max = max };
    }

    private static double MassAbove(in SamplingArguments a, long row, uint least, float max)
    {
        double mass = 0;
        for (var c = Group.IdxX; c < a.Columns; c += Group.DimX)
        {
            var x = a.Logits[row + c] / a.Temperature;
            if (KeyOf(x) >= least) mass += DeviceMath.Exp(x - max);
        }
        return GroupReduce.Sum(mass);
    }

    private static float ValueOf(uint key) => Interop.IntAsFloat((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);

    private static (int First, int End) Stretch(int columns)
    {
        var length = (columns + Group.DimX - 1) / Group.DimX;
        int first = Group.IdxX * length, end = first + length;
        return (first < columns ? first : columns, end < columns ? end : columns);
    }

    private static int CountEqual(in SamplingArguments a, long row, uint key, int first, int end)
    {
        var count = 0;
        for (var c = first; c < end; c++)
            if (KeyOf(a.Logits[row + c] / a.Temperature) == key) count++;
        return count;
    }

    /// <summary>Sum over the threads before this one.</summary>
    private static int Before(int value)
    {
        var shared = SharedMemory.Allocate<int>(CudaBackend.MostThreads);
        shared[Group.IdxX] = value;
        Group.Barrier();
        var sum = 0;
        for (var t = 0; t < Group.IdxX; t++) sum += shared[t];
        Group.Barrier();
        return sum;
    }

    /// <inheritdoc cref="Before(int)"/>
    private static double Before(double value)
    {
        var shared = SharedMemory.Allocate<double>(CudaBackend.MostThreads);
        shared[Group.IdxX] = value;
        Group.Barrier();
        var sum = 0.0;
        for (var t = 0; t < Group.IdxX; t++) sum += shared[t];
        Group.Barrier();
        return sum;
    }
}
