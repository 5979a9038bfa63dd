using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IReduce
{
    // Rows of a block of column sums (several rows side by side count as one where there are few columns): so many floats are added in a chain, the blocks in double.
    private const int SumBlockRows = 128;

    // Narrower rows are added several at a time, so that the vectors are full.
    private const int SumBlockColumns = 64;

    // Columns that one part adds up; their sums stay in the first-level cache.
    private const int SumStripeColumns = 1024;

    // Floats of a block of a sum of squares.
    private const int SquaresBlock = 1 << 16;

    // Below this many floats a fork-join costs more than the second core saves.
    private const long ParallelSums = 1 << 15;
    /// <inheritdoc/>
    public void MeanRows(View<float> input, int rows, int columns, View<float> output) => ReduceRows(input, rows, columns, output, 1.0 / columns);

    /// <inheritdoc/>
    public void SumRows(View<float> input, int rows, int columns, View<float> output) => ReduceRows(input, rows, columns, output, 1);

    /// <inheritdoc/>
    public void ArgMaxRows(View<float> input, int rows, int columns, View<int> output)
    {
        Arguments.Require(columns > 0 || rows == 0, "rows without columns have no largest entry");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, rows);
        var x = Pointer(input);
        var y = Pointer(output);
        Workers.For(rows, r =>
        {
            var row = x + (long)r * columns;
            var best = 0;
            for (var c = 1; c < columns && !float.IsNaN(row[best]); c++)
                if (row[c] > row[best] || float.IsNaN(row[c])) best = c;
            y[r] = best;
        });
    }

    /// <inheritdoc/>
    public void SumColumns(View<float> input, int rows, int columns, View<float> output)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"illegal sizes: {rows}x{columns}");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, columns);
        if (columns == 0) return;
        float* x = Pointer(input), y = Pointer(output);
        var level = Simd;
        // 1. Blocks of rows. Where there are few columns, `fold` rows are one row of fold · columns sums.
        var fold = (SumBlockColumns + columns - 1) / columns;
        var width = checked(fold * columns);
        var blockFloats = (long)SumBlockRows * width;
        var total = (long)rows * columns;
        var blocks = checked((int)((total + blockFloats - 1) / blockFloats));
        var stripes = (width + SumStripeColumns - 1) / SumStripeColumns;
        using var memory = Allocate(4L * blocks * width);
        var sums = Pointer(new View<float>(memory, 0, memory.ByteLength / 4));
        RunParts(checked(blocks * stripes), total > ParallelSums, part =>
        {
            int block = part / stripes, first = part % stripes * SumStripeColumns;
            var floats = Math.Min(blockFloats, total - block * blockFloats);
            ReduceKernel.SumColumns(level, x + block * blockFloats + first, floats - first, width, Math.Min(SumStripeColumns, width - first), sums + (long)block * width + first);
        });
        // 2. The blocks, and the rows side by side, in their order.
        var lastStripes = (columns + SumStripeColumns - 1) / SumStripeColumns;
        RunParts(lastStripes, (long)blocks * width > ParallelSums, stripe =>
        {
            for (var c = stripe * SumStripeColumns; c < Math.Min(columns, (stripe + 1) * SumStripeColumns); c++)
            {
                var sum = 0.0;
                for (var at = (long)c; at < (long)blocks * width; at += columns) sum += sums[at];
                y[c] = (float)sum;
            }
        });
    }

    /// <inheritdoc/>
    public void SumOfSquares(View<float> input, View<float> output)
    {
        Arguments.Length(output, 1);
        var length = input.Length;
        var x = Pointer(input);
        var level = Simd;
        var blocks = checked((int)((length + SquaresBlock - 1) / SquaresBlock));
        using var memory = Allocate(8L * blocks);
        var sums = Pointer(new View<double>(memory, 0, blocks));
        RunParts(blocks, length > ParallelSums, block =>
            sums[block] = ReduceKernel.SumOfSquares(level, x + (long)block * SquaresBlock, (int)Math.Min(SquaresBlock, length - (long)block * SquaresBlock)));
        var total = 0.0;
        for (var block = 0; block < blocks; block++) total += sums[block];
        Pointer(output)[0] = (float)total;
    }

    private void ReduceRows(View<float> input, int rows, int columns, View<float> output, double scale, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Length(input, (long)rows * columns, nameof(input), op);
        Arguments.Length(output, rows, nameof(output), op);
        float* x = Pointer(input), y = Pointer(output);
        var level = Simd;
        Workers.For(rows, r => y[r] = (float)(ReduceKernel.Sum(level, x + (long)r * columns, columns) * scale));
    }
}

/// <summary>Sums of long rows: blocks of 4096 in float lanes, the blocks in double, so that the error does not grow with the length.</summary>
internal static unsafe class ReduceKernel
{
    private const int Block = 4096;

    public static double Sum(SimdLevel level, float* x, int count)
    {
        if (level == SimdLevel.Avx512) return Sum<Simd512, Vector512<float>>(x, count, false);
        return level == SimdLevel.Avx2 ? Sum<Simd256, Vector256<float>>(x, count, false) : Sum<Simd128, Vector128<float>>(x, count, false);
    }

    public static double SumOfSquares(SimdLevel level, float* x, int count)
    {
        if (level == SimdLevel.Avx512) return Sum<Simd512, Vector512<float>>(x, count, true);
        return level == SimdLevel.Avx2 ? Sum<Simd256, Vector256<float>>(x, count, true) : Sum<Simd128, Vector128<float>>(x, count, true);
    }

    /// <summary>
    /// <c>sums[c] = Σ x[r · stride + c]</c> for c below <paramref name="columns"/>, over all r whose element lies below <paramref name="floats"/>: the last row may be short.
    /// Four rows are added first, then to the sums, so a chain is a quarter as long.
    /// </summary>
    public static void SumColumns(SimdLevel level, float* x, long floats, long stride, int columns, float* sums)
    {
        if (level == SimdLevel.Avx512) SumColumns<Simd512, Vector512<float>>(x, floats, stride, columns, sums);
        else if (level == SimdLevel.Avx2) SumColumns<Simd256, Vector256<float>>(x, floats, stride, columns, sums);
        else SumColumns<Simd128, Vector128<float>>(x, floats, stride, columns, sums);
    }

    private static void SumColumns<S, V>(float* x, long floats, long stride, int columns, float* sums) where S : struct, ISimd<V> where V : struct
    {
        new Span<float>(sums, columns).Clear();
        var whole = floats < columns ? 0 : (floats - columns) / stride + 1;
        var r = 0L;
        for (; r + 4 <= whole; r += 4)
        {
            float* a = x + r * stride, b = a + stride, c = b + stride, d = c + stride;
            var i = 0;
            for (; i + S.Count <= columns; i += S.Count)
                S.Store(S.Add(S.Load(sums + i), S.Add(S.Add(S.Load(a + i), S.Load(b + i)), S.Add(S.Load(c + i), S.Load(d + i)))), sums + i);
            for (; i < columns; i++) sums[i] += a[i] + b[i] + (c[i] + d[i]);
        }
        for (; r * stride < floats; r++)
        {
            var row = x + r * stride;
            var count = (int)Math.Min(columns, floats - r * stride);
            var i = 0;
            for (; i + S.Count <= count; i += S.Count) S.Store(S.Add(S.Load(sums + i), S.Load(row + i)), sums + i);
            for (; i < count; i++) sums[i] += row[i];
        }
    }

    private static double Sum<S, V>(float* x, int count, bool squares) where S : struct, ISimd<V> where V : struct
    {
        var total = 0.0;
        for (var first = 0; first < count; first += Block)
        {
            var end = Math.Min(count, first + Block);
            var sum = S.Zero;
            var i = first;
            if (squares)
                for (; i + S.Count <= end; i += S.Count) sum = S.MultiplyAdd(S.Load(x + i), S.Load(x + i), sum);
            else
                for (; i + S.Count <= end; i += S.Count) sum = S.Add(sum, S.Load(x + i));
            total += S.Sum(sum);
            for (; i < end; i++) total += squares ? (double)x[i] * x[i] : x[i];
        }
        return total;
    }
}
