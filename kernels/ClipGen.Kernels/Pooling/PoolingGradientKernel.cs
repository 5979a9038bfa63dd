using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>Gradient of the 2x2 maximum for two input rows, which make one output row.</summary>
internal static unsafe class PoolingGradientKernel
{
    /// <summary>Every pixel of both rows is written; an odd last column gets zero.</summary>
    public static void Rows<S, V>(float* x, float* dy, int width, int channels, float* dx) where S : struct, ISimd<V> where V : struct
    {
        var below = (long)width * channels;
        for (var w = 0; w < width / 2; w++, x += 2 * channels, dx += 2 * channels, dy += channels)
        {
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
            {
                var (a, b, d, e) = Route<S, V>(S.Load(x + c), S.Load(x + c + channels), S.Load(x + c + below), S.Load(x + c + below + channels), S.Load(dy + c));
                S.Store(a, dx + c);
                S.Store(b, dx + c + channels);
                S.Store(d, dx + c + below);
                S.Store(e, dx + c + below + channels);
            }
            if (c < channels)
            {
                var rest = channels - c;
                var (a, b, d, e) = Route<S, V>(S.LoadPartial(x + c, rest), S.LoadPartial(x + c + channels, rest), S.LoadPartial(x + c + below, rest), S.LoadPartial(x + c + below + channels, rest), S.LoadPartial(dy + c, rest));
                S.StorePartial(a, dx + c, rest);
                S.StorePartial(b, dx + c + channels, rest);
                S.StorePartial(d, dx + c + below, rest);
                S.StorePartial(e, dx + c + below + channels, rest);
            }
        }
        if (width % 2 == 0) return;
        new Span<float>(dx, channels).Clear();
        new Span<float>(dx + below, channels).Clear();
    }

    // The first pixel that the maximum does not exceed takes dy and leaves zero for those behind it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) Route<S, V>(V first, V second, V third, V fourth, V dy) where S : struct, ISimd<V> where V : struct
    {
        var largest = S.Max(S.Max(first, second), S.Max(third, fourth));
        // A NaN counts as infinity: the comparisons below then pass over every finite pixel, and are false for the NaN itself.
        largest = S.SelectGreater(S.Abs(largest), S.Broadcast(-1), largest, S.Broadcast(float.PositiveInfinity));
        // Is it still to be taken (1) or gone (0)? Kept as a number, because dy itself may be zero or NaN.
        V one = S.Broadcast(1), half = S.Broadcast(0.5f);
        var toFirst = S.SelectGreater(largest, first, S.Zero, dy);
        var left = S.SelectGreater(largest, first, one, S.Zero);
        var toSecond = S.SelectGreater(left, half, S.SelectGreater(largest, second, S.Zero, dy), S.Zero);
        left = S.SelectGreater(largest, second, left, S.Zero);
        var toThird = S.SelectGreater(left, half, S.SelectGreater(largest, third, S.Zero, dy), S.Zero);
        left = S.SelectGreater(largest, third, left, S.Zero);
        // Who is left over at the end holds the maximum.
        var toFourth = S.SelectGreater(left, half, dy, S.Zero);
        return (toFirst, toSecond, toThird, toFourth);
    }
}
