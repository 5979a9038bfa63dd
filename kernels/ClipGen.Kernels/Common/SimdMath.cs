using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>Elementary functions over vectors of any width. Each states its largest error; the tests hold it to that.</summary>
internal static partial class SimdMath
{
    /// <summary>
    /// eˣ within 2 ulp for x in [−87.3, 88.7]; larger gives +∞ at once past 88.73, smaller is flushed to 0 below −87.336, the last normal number, so that no denormal comes up on the way: they are 100 times as slow on many processors; NaN stays NaN.
    /// x = n·ln 2 + r, |r| ≤ ½ ln 2; a degree-6 polynomial for eʳ; 2ⁿ applied as two factors so that n = 128 and n = −127 need no special case.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V>(V x) where S : struct, ISimd<V> where V : struct
    {
        var limited = S.Min(S.Max(x, S.Broadcast(-87.336f)), S.Broadcast(89f));
        var n = S.Round(S.Multiply(limited, S.Broadcast(1.44269504f)));
        // ln 2 in two parts: the first has so few bits that n times it is exact.
        var r = S.MultiplyAdd(n, S.Broadcast(-0.693359375f), limited);
        r = S.MultiplyAdd(n, S.Broadcast(2.12194440e-4f), r);
        // 1 + r + r²·P(r), P of degree 4 with the least relative error on the interval (3.7e-9; the Taylor coefficients err by 1.7e-7 at its ends).
        var p = S.Broadcast(1.38145697e-3f);
        p = S.MultiplyAdd(p, r, S.Broadcast(8.36873055e-3f));
        p = S.MultiplyAdd(p, r, S.Broadcast(4.1668389e-2f));
        p = S.MultiplyAdd(p, r, S.Broadcast(0.166665211f));
        p = S.MultiplyAdd(p, r, S.Broadcast(0.49999994f));
        p = S.MultiplyAdd(p, S.Multiply(r, r), S.Add(r, S.Broadcast(1f)));
        var half = S.Round(S.Multiply(n, S.Broadcast(0.5f)));
        var y = S.Multiply(S.Multiply(p, S.PowerOfTwo(half)), S.PowerOfTwo(S.Subtract(n, half)));
        y = S.SelectGreater(S.Broadcast(-87.336f), x, S.Zero, y);
        return S.SelectGreater(x, S.Broadcast(88.73f), S.Broadcast(float.PositiveInfinity), y);
    }

    /// <summary>
    /// erf(x) within 1.5e-7 absolute, 2e-7 where the processor cannot fuse multiply-adds. |x| &lt;= 1: x·P(x²), degree 6; above: 1 − exp(−x²)·Q(2/(2+|x|)), degree 7 (both Chebyshev fits with an error
    /// below 2e-9 in exact arithmetic); |x| is limited to 4.3, where erf is 1 to float accuracy. NaN stays NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erf<S, V>(V x) where S : struct, ISimd<V> where V : struct
    {
        var a = S.Min(S.Abs(x), S.Broadcast(4.3f));
        var s = S.Multiply(x, x);
        var p = S.Broadcast(7.875875e-05f);
        p = S.MultiplyAdd(p, s, S.Broadcast(-0.00080168643f));
        p = S.MultiplyAdd(p, s, S.Broadcast(0.0051890874f));
        p = S.MultiplyAdd(p, s, S.Broadcast(-0.026854212f));
        p = S.MultiplyAdd(p, s, S.Broadcast(0.11283595f));
        p = S.MultiplyAdd(p, s, S.Broadcast(-0.37612627f));
        p = S.MultiplyAdd(p, s, S.Broadcast(1.1283792f));
        var small = S.Multiply(p, x);

        var t = S.Divide(S.Broadcast(2), S.Add(S.Broadcast(2), a));
        var q = S.Broadcast(0.119370094f);
        q = S.MultiplyAdd(q, t, S.Broadcast(-0.47121319f));
        q = S.MultiplyAdd(q, t, S.Broadcast(0.56317606f));
        q = S.MultiplyAdd(q, t, S.Broadcast(-0.10342532f));
        q = S.MultiplyAdd(q, t, S.Broadcast(0.3476488f));
        q = S.MultiplyAdd(q, t, S.Broadcast(0.25975333f));
        q = S.MultiplyAdd(q, t, S.Broadcast(0.28489827f));
        q = S.MultiplyAdd(q, t, S.Broadcast(-0.00015293607f));
        var tail = S.Subtract(S.Broadcast(1), S.Multiply(q, Exp<S, V>(S.Subtract(S.Zero, S.Multiply(a, a)))));
        return S.SelectGreater(a, S.Broadcast(1), S.CopySign(tail, x), small);
    }
}
