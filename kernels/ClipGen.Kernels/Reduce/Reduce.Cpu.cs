using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IReduce
{
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
