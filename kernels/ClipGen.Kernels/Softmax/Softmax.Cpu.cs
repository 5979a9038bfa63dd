using System.Runtime.CompilerServices;
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

    /// <summary>
    /// Four rows in place, with the bits of <see cref="Row(SimdLevel, float*, int, float, float*)"/>. A row alone is a chain of latencies (maximum, exponential, sum, quotient) that ends in branches which depend on its
    /// length; four take little longer. Row r is <c>min(first + r · step, limit)</c> long and becomes zero from there on, up to <paramref name="end"/> and on to a whole vector.
    /// </summary>
    public static void Rows4(SimdLevel level, float* x, long stride, int first, int step, int limit, int end, float scale)
    {
        int c1 = Math.Min(first + step, limit), c2 = Math.Min(first + 2 * step, limit), c3 = Math.Min(first + 3 * step, limit);
        if (level == SimdLevel.Avx512) Rows4<Simd512, Vector512<float>>(x, stride, first, c1, c2, c3, end, scale);
        else if (level == SimdLevel.Avx2) Rows4<Simd256, Vector256<float>>(x, stride, first, c1, c2, c3, end, scale);
        else Rows4<Simd128, Vector128<float>>(x, stride, first, c1, c2, c3, end, scale);
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
        // Lanes behind the row's end are negative infinity: no maximum, and zero in the sum.
        V largest = S.Broadcast(float.NegativeInfinity), tail = largest;
        var whole = count - count % S.Count;
        int i;
        for (i = 0; i < whole; i += S.Count) largest = S.Max(largest, S.Load(x + i));
        if (whole < count) largest = S.Max(largest, tail = S.LoadPartial(x + whole, count - whole, tail));

        // exp(scale·(x − max)): subtracting first keeps the difference exact where it matters.
        V m = S.Broadcast(S.MaxLane(largest)), factor = S.Broadcast(scale), sum = S.Zero;
        for (i = 0; i < whole; i += S.Count) sum = AddWeights<S, V>(sum, S.Load(x + i), m, factor, y + i);
        if (whole < count) sum = S.Add(sum, tail = SimdMath.Exp<S, V>(S.Multiply(S.Subtract(tail, m), factor)));

        var inverse = S.Broadcast(1 / S.Sum(sum));
        for (i = 0; i < whole; i += S.Count) S.Store(S.Multiply(S.Load(y + i), inverse), y + i);
        if (whole < count) S.StorePartial(S.Multiply(tail, inverse), y + whole, count - whole);
    }

    /// <summary>Stores exp(factor · (x − max)), not yet divided by its sum, and adds it to that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V AddWeights<S, V>(V sum, V x, V max, V factor, float* y) where S : struct, ISimd<V> where V : struct
    {
        var e = SimdMath.Exp<S, V>(S.Multiply(S.Subtract(x, max), factor));
        S.Store(e, y);
        return S.Add(sum, e);
    }

    private static void Rows4<S, V>(float* x0, long stride, int c0, int c1, int c2, int c3, int end, float scale) where S : struct, ISimd<V> where V : struct
    {
        float* x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride;
        var low = S.Broadcast(float.NegativeInfinity);
        V m0 = low, m1 = low, m2 = low, m3 = low;
        var whole = c0 - c0 % S.Count;
        int i;
        for (i = 0; i < whole; i += S.Count)
        {
            m0 = S.Max(m0, S.Load(x0 + i));
            m1 = S.Max(m1, S.Load(x1 + i));
            m2 = S.Max(m2, S.Load(x2 + i));
            m3 = S.Max(m3, S.Load(x3 + i));
        }
        for (; i < c3; i += S.Count)
        {
            m0 = S.Max(m0, S.LoadPartial(x0 + i, c0 - i, low));
            m1 = S.Max(m1, S.LoadPartial(x1 + i, c1 - i, low));
            m2 = S.Max(m2, S.LoadPartial(x2 + i, c2 - i, low));
            m3 = S.Max(m3, S.LoadPartial(x3 + i, c3 - i, low));
        }
        m0 = S.Broadcast(S.MaxLane(m0));
        m1 = S.Broadcast(S.MaxLane(m1));
        m2 = S.Broadcast(S.MaxLane(m2));
        m3 = S.Broadcast(S.MaxLane(m3));

        V factor = S.Broadcast(scale), s0 = S.Zero, s1 = S.Zero, s2 = S.Zero, s3 = S.Zero;
        for (i = 0; i < whole; i += S.Count)
        {
            s0 = AddWeights<S, V>(s0, S.Load(x0 + i), m0, factor, x0 + i);
            s1 = AddWeights<S, V>(s1, S.Load(x1 + i), m1, factor, x1 + i);
            s2 = AddWeights<S, V>(s2, S.Load(x2 + i), m2, factor, x2 + i);
            s3 = AddWeights<S, V>(s3, S.Load(x3 + i), m3, factor, x3 + i);
        }
        for (; i < end; i += S.Count)
        {
            s0 = AddWeights<S, V>(s0, S.LoadPartial(x0 + i, c0 - i, low), m0, factor, x0 + i);
            s1 = AddWeights<S, V>(s1, S.LoadPartial(x1 + i, c1 - i, low), m1, factor, x1 + i);
            s2 = AddWeights<S, V>(s2, S.LoadPartial(x2 + i, c2 - i, low), m2, factor, x2 + i);
            s3 = AddWeights<S, V>(s3, S.LoadPartial(x3 + i, c3 - i, low), m3, factor, x3 + i);
        }

        s0 = S.Broadcast(1 / S.Sum(s0));
        s1 = S.Broadcast(1 / S.Sum(s1));
        s2 = S.Broadcast(1 / S.Sum(s2));
        s3 = S.Broadcast(1 / S.Sum(s3));
        for (i = 0; i < c3; i += S.Count)
        {
            S.Store(S.Multiply(S.Load(x0 + i), s0), x0 + i);
            S.Store(S.Multiply(S.Load(x1 + i), s1), x1 + i);
            S.Store(S.Multiply(S.Load(x2 + i), s2), x2 + i);
            S.Store(S.Multiply(S.Load(x3 + i), s3), x3 + i);
        }
    }
}
