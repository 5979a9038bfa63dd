using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Cross-entropy of one row.</summary>
internal static unsafe class CrossEntropyKernel
{
    // Elements whose exponentials are added in float lanes; the blocks are added in double, so the error does not grow with the number of classes.
    private const int Block = 1024;

    /// <summary>The row's maximum and <c>Σ exp(x − max)</c>.</summary>
    public static (float Max, double Sum) Exponentials(SimdLevel level, float* x, int count)
    {
        if (level == SimdLevel.Avx512) return Exponentials<Simd512, Vector512<float>>(x, count);
        return level == SimdLevel.Avx2 ? Exponentials<Simd256, Vector256<float>>(x, count) : Exponentials<Simd128, Vector128<float>>(x, count);
    }

    /// <summary><c>y = g · exp(x − logSumExp)</c>; y may be x.</summary>
    public static void Probabilities(SimdLevel level, float* x, int count, float logSumExp, float g, float* y)
    {
        if (level == SimdLevel.Avx512) Probabilities<Simd512, Vector512<float>>(x, count, logSumExp, g, y);
        else if (level == SimdLevel.Avx2) Probabilities<Simd256, Vector256<float>>(x, count, logSumExp, g, y);
        else Probabilities<Simd128, Vector128<float>>(x, count, logSumExp, g, y);
    }

    private static (float Max, double Sum) Exponentials<S, V>(float* x, int count) where S : struct, ISimd<V> where V : struct
    {
        // Two chains: one maximum that respects NaN takes several instructions, which wait for each other.
        V first = S.Broadcast(float.NegativeInfinity), second = first;
        var i = 0;
        for (; i + 2 * S.Count <= count; i += 2 * S.Count)
        {
            first = S.Max(first, S.Load(x + i));
            second = S.Max(second, S.Load(x + i + S.Count));
        }
        var max = S.MaxLane(S.Max(first, second));
        for (; i < count; i++) max = MathF.Max(max, x[i]);

        var shift = S.Broadcast(max);
        var total = 0.0;
        var whole = count - count % S.Count;
        for (var block = 0; block < whole; block += Block)
        {
            var sum = S.Zero;
            for (i = block; i < Math.Min(whole, block + Block); i += S.Count) sum = S.Add(sum, SimdMath.Exp<S, V>(S.Subtract(S.Load(x + i), shift)));
            total += S.Sum(sum);
        }
        if (whole < count)
        {
            var rest = stackalloc float[16];
            S.Store(SimdMath.Exp<S, V>(S.Subtract(S.LoadPartial(x + whole, count - whole), shift)), rest);
            for (i = 0; i < count - whole; i++) total += rest[i];
        }
        return (max, total);
    }

    private static void Probabilities<S, V>(float* x, int count, float logSumExp, float g, float* y) where S : struct, ISimd<V> where V : struct
    {
        V shift = S.Broadcast(logSumExp), factor = S.Broadcast(g);
        var i = 0;
        for (; i + S.Count <= count; i += S.Count) S.Store(S.Multiply(factor, SimdMath.Exp<S, V>(S.Subtract(S.Load(x + i), shift))), y + i);
        if (i < count) S.StorePartial(S.Multiply(factor, SimdMath.Exp<S, V>(S.Subtract(S.LoadPartial(x + i, count - i), shift))), y + i, count - i);
    }
}
