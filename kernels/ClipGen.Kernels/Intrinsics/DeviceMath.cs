using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>Elementary functions of the kernels: sums and products alone, so that emulation and card agree to the last bits. The formulas are those of <see cref="SimdMath"/>.</summary>
internal static class DeviceMath
{
    /// <summary>eˣ within 2 ulp for x in [−87.3, 88.7]; larger gives +∞, smaller 0; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Exp(float x)
    {
        if (x > 88.73f) return float.PositiveInfinity;
        if (x < -87.34f) return 0;
        // The nearest whole number: adding 1.5·2²³ leaves no room for a fraction.
        var n = x * 1.44269504f + 12582912f - 12582912f;
        var r = x - n * 0.693359375f;
        r += n * 2.12194440e-4f;
        var p = 1.38145697e-3f;
        p = p * r + 8.36873055e-3f;
        p = p * r + 4.1668389e-2f;
        p = p * r + 0.166665211f;
        p = p * r + 0.49999994f;
        p = p * (r * r) + (r + 1f);
        // Two factors, so that n = 128 and n = −127 need no special case. A NaN makes any n; it is in p as well.
        var half = (int)n >> 1;
        return p * PowerOfTwo(half) * PowerOfTwo((int)n - half);
    }

    /// <summary>erf(x) within 2e-7; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Erf(float x)
    {
        var a = x < 0 ? -x : x;
        if (a > 4.3f) a = 4.3f;
        if (!(a > 1))
        {
            var s = x * x;
            var p = 7.875875e-05f;
            p = p * s - 0.00080168643f;
            p = p * s + 0.0051890874f;
            p = p * s - 0.026854212f;
            p = p * s + 0.11283595f;
            p = p * s - 0.37612627f;
            p = p * s + 1.1283792f;
            return p * x;
        }
        var t = 2 / (2 + a);
        var q = 0.119370094f;
        q = q * t - 0.47121319f;
        q = q * t + 0.56317606f;
        q = q * t - 0.10342532f;
        q = q * t + 0.3476488f;
        q = q * t + 0.25975333f;
        q = q * t + 0.28489827f;
        q = q * t - 0.00015293607f;
        var tail = 1 - q * Exp(-a * a);
        return x < 0 ? -tail : tail;
    }

    /// <summary>
    /// ln x within 1e-9 for positive normal x, −∞ for 0, NaN for less and for NaN: x = 2ⁿ m with m between √½ and √2, and ln m = 2 artanh s, s = (m − 1) / (m + 1), |s| &lt; 0.172, as nine terms of its series.
    /// (The library's double logarithm looks up tables on a stack.)
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Log(double x)
    {
        if (!(x > 0)) return x == 0 ? double.NegativeInfinity : double.NaN;
        if (x == double.PositiveInfinity) return x;
        var bits = Interop.FloatAsInt(x);
        var n = (int)(bits >> 52) - 1023;
        var m = Interop.IntAsFloat(bits & 0xFFFFFFFFFFFFFUL | 0x3FF0000000000000UL);
        if (m > 1.4142135623730951)
        {
            m *= 0.5;
            n++;
        }
        double s = (m - 1) / (m + 1), square = s * s;
        var series = 1.0 / 17;
        series = series * square + 1.0 / 15;
        series = series * square + 1.0 / 13;
        series = series * square + 1.0 / 11;
        series = series * square + 1.0 / 9;
        series = series * square + 1.0 / 7;
        series = series * square + 1.0 / 5;
        series = series * square + 1.0 / 3;
        series = series * square + 1.0;
        return n * 0.6931471805599453 + 2 * s * series;
    }

    /// <summary>eˣ within 1e-14 of itself, for x below 700: x = n ln 2 + r, and twelve terms of the series at r, |r| &lt; 0.35. Below −700 it is 0; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Exp(double x)
    {
        if (x < -700) return 0;
        // The nearest whole number: adding 1.5·2⁵² leaves no room for a fraction.
        var n = x * 1.4426950408889634 + 6755399441055744.0 - 6755399441055744.0;
        var r = x - n * 0.693147180369123816490;
        r -= n * 1.90821492927058770002e-10;
        var p = 1.0 / 39916800;
        p = p * r + 1.0 / 3628800;
        p = p * r + 1.0 / 362880;
        p = p * r + 1.0 / 40320;
        p = p * r + 1.0 / 5040;
        p = p * r + 1.0 / 720;
        p = p * r + 1.0 / 120;
        p = p * r + 1.0 / 24;
        p = p * r + 1.0 / 6;
        p = p * r + 0.5;
        p = p * r + 1.0;
        p = p * r + 1.0;
        return p * Interop.IntAsFloat((ulong)((long)n + 1023) << 52);
    }

    /// <summary>√x, rounded correctly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sqrt(float x) => MathF.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float PowerOfTwo(int n) => Interop.IntAsFloat((uint)(n + 127) << 23);
}

/// <summary>Activations in kernels. The choice is the same for a whole launch, so the branch costs nothing beside the memory.</summary>
internal static class DeviceActivation
{
    /// <summary>activation(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Apply(int activation, float x) => activation switch
    {
        (int)Activation.Relu => x > 0 || float.IsNaN(x) ? x : 0,
        (int)Activation.LeakyRelu => x > 0 ? x : x * 0.2f,
        (int)Activation.Silu => x / (1 + DeviceMath.Exp(-x)),
        (int)Activation.Gelu => x * 0.5f * (1 + DeviceMath.Erf(x * 0.707106781f)),
        (int)Activation.QuickGelu => x / (1 + DeviceMath.Exp(x * -1.702f)),
        _ => x,
    };

    /// <summary>dy/dx at x; at a kink from the left, as PyTorch takes it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Derivative(int activation, float x)
    {
        switch (activation)
        {
            // Of whole numbers ILGPU 1.5.3 would make the float whose bits are those of 1.
            case (int)Activation.Relu: return x > 0 ? 1f : 0f;
            case (int)Activation.LeakyRelu: return x > 0 ? 1 : 0.2f;
            case (int)Activation.Silu: return SiluDerivative(x);
            case (int)Activation.QuickGelu: return SiluDerivative(x * 1.702f);
            case (int)Activation.Gelu:
                var distribution = DeviceMath.Erf(x * 0.707106781f) * 0.5f + 0.5f;
                return x * (DeviceMath.Exp(x * x * -0.5f) * 0.398942280f) + distribution;
            default: return 1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SiluDerivative(float x)
    {
        var s = 1 / (1 + DeviceMath.Exp(-x));
        return s * (x * (1 - s) + 1);
    }
}
