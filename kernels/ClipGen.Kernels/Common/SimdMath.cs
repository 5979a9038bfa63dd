using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>Elementary functions over vectors of any width. Each states its largest error; the tests hold it to that.</summary>
internal static partial class SimdMath
{
    /// <summary>
    /// eˣ within 2 ulp for x in [−87.3, 88.7]; larger gives +∞ at once past 88.73, smaller is flushed to 0 below −87.34; NaN stays NaN.
    /// x = n·ln 2 + r, |r| ≤ ½ ln 2; a degree-6 polynomial for eʳ; 2ⁿ applied as two factors so that n = 128 and n = −127 need no special case.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V>(V x) where S : struct, ISimd<V> where V : struct
    {
        var limited = S.Min(S.Max(x, S.Broadcast(-87.5f)), S.Broadcast(89f));
        var n = S.Round(S.Multiply(limited, S.Broadcast(1.44269504f)));
        // ln 2 in two parts: the first has so few bits that n times it is exact.
        var r = S.MultiplyAdd(n, S.Broadcast(-0.693359375f), limited);
        r = S.MultiplyAdd(n, S.Broadcast(2.12194440e-4f), r);
        var p = S.Broadcast(1.0f / 720);
        p = S.MultiplyAdd(p, r, S.Broadcast(1.0f / 120));
        p = S.MultiplyAdd(p, r, S.Broadcast(1.0f / 24));
        p = S.MultiplyAdd(p, r, S.Broadcast(1.0f / 6));
        p = S.MultiplyAdd(p, r, S.Broadcast(0.5f));
        p = S.MultiplyAdd(p, S.Multiply(r, r), S.Add(r, S.Broadcast(1f)));
        var half = S.Round(S.Multiply(n, S.Broadcast(0.5f)));
        var y = S.Multiply(S.Multiply(p, S.PowerOfTwo(half)), S.PowerOfTwo(S.Subtract(n, half)));
        y = S.SelectGreater(S.Broadcast(-87.34f), x, S.Zero, y);
        return S.SelectGreater(x, S.Broadcast(88.73f), S.Broadcast(float.PositiveInfinity), y);
    }
}
