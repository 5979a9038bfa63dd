using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : ISoftmax
{
    /// <inheritdoc/>
    public void Softmax(View<float> input, int rows, int columns, View<float> output)
    {
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, (long)rows * columns);
        if (columns == 0) return;
        float* x = Pointer(input), y = Pointer(output);
        var level = Simd;
        var rowsPerPart = Math.Max(1, ElementwisePart / 4 / columns);
        Workers.For((rows + rowsPerPart - 1) / rowsPerPart, part =>
        {
            for (var r = part * rowsPerPart; r < Math.Min(rows, (part + 1) * rowsPerPart); r++)
                SoftmaxKernel.Row(level, x + (long)r * columns, columns, 1, y + (long)r * columns);
        });
    }

    /// <inheritdoc/>
    public void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns} columns");
        Arguments.Length(output, (long)rows * columns);
        Arguments.Length(outputGradient, (long)rows * columns);
        Arguments.Length(inputGradient, (long)rows * columns);
        if (columns == 0) return;
        float* y = Pointer(output), dy = Pointer(outputGradient), dx = Pointer(inputGradient);
        var level = Simd;
        var rowsPerPart = Math.Max(1, ElementwisePart / 4 / columns);
        Workers.For((rows + rowsPerPart - 1) / rowsPerPart, part =>
        {
            for (var r = part * rowsPerPart; r < Math.Min(rows, (part + 1) * rowsPerPart); r++)
                SoftmaxKernel.RowGradient(level, y + (long)r * columns, dy + (long)r * columns, columns, dx + (long)r * columns);
        });
    }
}

/// <summary>Softmax of one row.</summary>
internal static unsafe class SoftmaxKernel
{
    /// <summary><c>y = softmax(x · scale)</c>.</summary>
    public static void Row(SimdLevel level, float* x, int count, float scale, float* y)
    {
        if (level == SimdLevel.Avx512) Row<Simd512, Vector512<float>>(x, count, scale, y);
        else if (level == SimdLevel.Avx2) Row<Simd256, Vector256<float>>(x, count, scale, y);
        else Row<Simd128, Vector128<float>>(x, count, scale, y);
    }

    /// <summary><c>dx = y · (dy − Σ dy · y)</c>; dx may be dy.</summary>
    public static void RowGradient(SimdLevel level, float* y, float* dy, int count, float* dx)
    {
        if (level == SimdLevel.Avx512) RowGradient<Simd512, Vector512<float>>(y, dy, count, dx);
        else if (level == SimdLevel.Avx2) RowGradient<Simd256, Vector256<float>>(y, dy, count, dx);
        else RowGradient<Simd128, Vector128<float>>(y, dy, count, dx);
    }

    private static void RowGradient<S, V>(float* y, float* dy, int count, float* dx) where S : struct, ISimd<V> where V : struct
    {
        // Blocks of 1024 in float lanes, the blocks in double: the sum of a row of any length keeps its digits.
        const int block = 1024;
        var total = 0.0;
        var whole = count - count % S.Count;
        int i;
        for (var first = 0; first < whole; first += block)
        {
            var sum = S.Zero;
            for (i = first; i < Math.Min(whole, first + block); i += S.Count) sum = S.MultiplyAdd(S.Load(dy + i), S.Load(y + i), sum);
            total += S.Sum(sum);
        }
        for (i = whole; i < count; i++) total += (double)dy[i] * y[i];

        var mean = S.Broadcast((float)total);
        for (i = 0; i < whole; i += S.Count) S.Store(S.Multiply(S.Load(y + i), S.Subtract(S.Load(dy + i), mean)), dx + i);
        for (; i < count; i++) dx[i] = y[i] * (dy[i] - (float)total);
    }

    private static void Row<S, V>(float* x, int count, float scale, float* y) where S : struct, ISimd<V> where V : struct
    {
        var largest = S.Broadcast(float.NegativeInfinity);
        var i = 0;
        for (; i + S.Count <= count; i += S.Count) largest = S.Max(largest, S.Load(x + i));
        var max = S.MaxLane(largest);
        for (; i < count; i++) max = MathF.Max(max, x[i]);

        // exp(scale·(x − max)): subtracting first keeps the difference exact where it matters.
        V m = S.Broadcast(max), factor = S.Broadcast(scale), sum = S.Zero;
        for (i = 0; i + S.Count <= count; i += S.Count)
        {
            var e = SimdMath.Exp<S, V>(S.Multiply(S.Subtract(S.Load(x + i), m), factor));
            S.Store(e, y + i);
            sum = S.Add(sum, e);
        }
        var total = S.Sum(sum);
        if (i < count)
        {
            var rest = count - i;
            S.StorePartial(SimdMath.Exp<S, V>(S.Multiply(S.Subtract(S.LoadPartial(x + i, rest), m), factor)), y + i, rest);
            for (var j = i; j < count; j++) total += y[j];
        }

        var inverse = S.Broadcast(1 / total);
        for (i = 0; i + S.Count <= count; i += S.Count) S.Store(S.Multiply(S.Load(y + i), inverse), y + i);
        for (; i < count; i++) y[i] *= 1 / total;
    }
}
