using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>
/// The transforms of Winograd's minimal filtering F(4x4, 3x3): <c>Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A</c> with a tile d of 6x6 inputs, a filter g of 3x3 and 4x4 outputs Y, interpolated at 0, ±3/4, ±3/2 and ∞
/// (Lavin and Gray 2016, arXiv 1509.09308, section 4.3, take 0, ±1, ±2; these err half as much, and all factors but those of the filter are exact). Channels lie side by side, so vectors run over them.
/// </summary>
internal static unsafe class WinogradKernel
{
    /// <summary>Rows and columns of outputs that a tile makes.</summary>
    public const int Outputs = 4;

    /// <summary>Rows and columns of the filter.</summary>
    public const int Filter = 3;

    /// <summary>Rows and columns of a tile.</summary>
    public const int Side = Outputs + Filter - 1;

    /// <summary>Values of a transformed tile.</summary>
    public const int Places = Side * Side;

    // The points ±A and ±B, their squares P and Q.
    private const float A = 0.75f, B = 1.5f, P = A * A, Q = B * B;

    // What a filter's value at a point is divided by: the product of its distances to the other points.
    private const double AtZero = (double)P * Q, AtA = 2.0 * P * (P - Q), AtB = 2.0 * Q * (Q - P);

    /// <summary>
    /// <c>G g Gᵀ</c> for <paramref name="count"/> filters that lie side by side, tap after tap <paramref name="tap"/> floats apart; the 36 results lie <paramref name="place"/> floats apart.
    /// </summary>
    public static void TransformFilter(SimdLevel level, float* taps, long tap, int count, float* output, long place)
    {
        if (level == SimdLevel.Avx512) TransformFilter<Simd512, Vector512<float>>(taps, tap, count, output, place);
        else if (level == SimdLevel.Avx2) TransformFilter<Simd256, Vector256<float>>(taps, tap, count, output, place);
        else TransformFilter<Simd128, Vector128<float>>(taps, tap, count, output, place);
    }

    /// <summary>
    /// <c>Bᵀ d B</c> of the tile whose first pixel is (top, left), zeros outside the picture, channel by channel. The geometry is that of the picture enlarged by <paramref name="upsample"/>, which is read as if every pixel
    /// were that many.
    /// </summary>
    public static void TransformInput(SimdLevel level, float* picture, in ConvolutionGeometry s, int upsample, int top, int left, float* output, long place)
    {
        if (level == SimdLevel.Avx512) TransformInput<Simd512, Vector512<float>>(picture, s, upsample, top, left, output, place);
        else if (level == SimdLevel.Avx2) TransformInput<Simd256, Vector256<float>>(picture, s, upsample, top, left, output, place);
        else TransformInput<Simd128, Vector128<float>>(picture, s, upsample, top, left, output, place);
    }

    /// <summary><c>Aᵀ m A</c> of the sums of a tile, for up to 32 columns: [16][32].</summary>
    public static void TransformOutput(SimdLevel level, float* sums, long place, int columns, float* output)
    {
        if (level == SimdLevel.Avx512) TransformOutput<Simd512, Vector512<float>>(sums, place, columns, output);
        else if (level == SimdLevel.Avx2) TransformOutput<Simd256, Vector256<float>>(sums, place, columns, output);
        else TransformOutput<Simd128, Vector128<float>>(sums, place, columns, output);
    }

    // Counts are whole panels of 16, which every vector divides.
    private static void TransformFilter<S, V>(float* taps, long tap, int count, float* output, long place) where S : struct, ISimd<V> where V : struct
    {
        var factors = new FilterFactors<S, V>();
        var rows = stackalloc float[Side * Filter * 16];
        for (var at = 0; at < count; at += S.Count)
        {
            for (var j = 0; j < Filter; j++)
            {
                var (a, b, c) = (S.Load(taps + j * tap + at), S.Load(taps + (Filter + j) * tap + at), S.Load(taps + (2 * Filter + j) * tap + at));
                Spread<S, V>(a, b, c, factors, rows + j * 16, Filter * 16);
            }
            for (var i = 0; i < Side; i++)
            {
                var row = rows + i * Filter * 16;
                Spread<S, V>(S.Load(row), S.Load(row + 16), S.Load(row + 32), factors, output + i * Side * place + at, place);
            }
        }
    }

    /// <summary>G times three values: for each point t with its divisor N, (a + t b + t² c) / N; at infinity, c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Spread<S, V>(V a, V b, V c, in FilterFactors<S, V> f, float* to, long step) where S : struct, ISimd<V> where V : struct
    {
        V nearEven = S.MultiplyAdd(f.NearSecond, c, S.Multiply(f.NearZeroth, a)), nearOdd = S.Multiply(f.NearFirst, b);
        V farEven = S.MultiplyAdd(f.FarSecond, c, S.Multiply(f.FarZeroth, a)), farOdd = S.Multiply(f.FarFirst, b);
        S.Store(S.Multiply(f.Zero, a), to);
        S.Store(S.Add(nearEven, nearOdd), to + step);
        S.Store(S.Subtract(nearEven, nearOdd), to + 2 * step);
        S.Store(S.Add(farEven, farOdd), to + 3 * step);
        S.Store(S.Subtract(farEven, farOdd), to + 4 * step);
        S.Store(c, to + 5 * step);
    }

    private readonly struct FilterFactors<S, V> where S : struct, ISimd<V> where V : struct
    {
        public readonly V Zero = S.Broadcast((float)(1 / AtZero)), NearZeroth = S.Broadcast((float)(1 / AtA)), NearFirst = S.Broadcast((float)(A / AtA)), NearSecond = S.Broadcast((float)(P / AtA)),
            FarZeroth = S.Broadcast((float)(1 / AtB)), FarFirst = S.Broadcast((float)(B / AtB)), FarSecond = S.Broadcast((float)(Q / AtB));

        public FilterFactors()
        {
        }
    }

    private static void TransformInput<S, V>(float* picture, in ConvolutionGeometry s, int upsample, int top, int left, float* output, long place) where S : struct, ISimd<V> where V : struct
    {
        int channels = s.Channels, stored = s.Width / upsample;
        V near = S.Broadcast(A), far = S.Broadcast(B), nearSquare = S.Broadcast(-P), farSquare = S.Broadcast(-Q), product = S.Broadcast(P * Q), sum = S.Broadcast(-(P + Q));
        var columns = stackalloc float[Places * 16];
        var pixels = stackalloc float*[Places];
        for (var i = 0; i < Side; i++)
            for (var j = 0; j < Side; j++)
            {
                int row = top + i, column = left + j;
                pixels[i * Side + j] = (uint)row < (uint)s.Height && (uint)column < (uint)s.Width ? picture + ((long)(row / upsample) * stored + column / upsample) * channels : null;
            }
        for (var c = 0; c < channels; c += S.Count)
        {
            var rest = channels - c;
            for (var j = 0; j < Side; j++)
                Weigh<S, V>(Pixel<S, V>(pixels[j], c, rest), Pixel<S, V>(pixels[Side + j], c, rest), Pixel<S, V>(pixels[2 * Side + j], c, rest), Pixel<S, V>(pixels[3 * Side + j], c, rest),
                    Pixel<S, V>(pixels[4 * Side + j], c, rest), Pixel<S, V>(pixels[5 * Side + j], c, rest), near, far, nearSquare, farSquare, product, sum, columns + j * 16, Side * 16, S.Count);
            for (var i = 0; i < Side; i++)
            {
                var row = columns + i * Side * 16;
                Weigh<S, V>(S.Load(row), S.Load(row + 16), S.Load(row + 32), S.Load(row + 48), S.Load(row + 64), S.Load(row + 80), near, far, nearSquare, farSquare, product, sum, output + i * Side * place + c, place, rest);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Pixel<S, V>(float* pixel, int channel, int rest) where S : struct, ISimd<V> where V : struct =>
        pixel == null ? S.Zero : rest >= S.Count ? S.Load(pixel + channel) : S.LoadPartial(pixel + channel, rest);

    /// <summary>Bᵀ times six values: for each point, the polynomial that is 0 at all others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Weigh<S, V>(V d0, V d1, V d2, V d3, V d4, V d5, V near, V far, V nearSquare, V farSquare, V product, V sum, float* to, long step, int rest) where S : struct, ISimd<V> where V : struct
    {
        V nearEven = S.MultiplyAdd(farSquare, d2, d4), nearOdd = S.Multiply(near, S.MultiplyAdd(farSquare, d1, d3)), farEven = S.MultiplyAdd(nearSquare, d2, d4), farOdd = S.Multiply(far, S.MultiplyAdd(nearSquare, d1, d3));
        Put<S, V>(S.MultiplyAdd(product, d0, S.MultiplyAdd(sum, d2, d4)), to, rest);
        Put<S, V>(S.Add(nearEven, nearOdd), to + step, rest);
        Put<S, V>(S.Subtract(nearEven, nearOdd), to + 2 * step, rest);
        Put<S, V>(S.Add(farEven, farOdd), to + 3 * step, rest);
        Put<S, V>(S.Subtract(farEven, farOdd), to + 4 * step, rest);
        Put<S, V>(S.MultiplyAdd(product, d1, S.MultiplyAdd(sum, d3, d5)), to + 5 * step, rest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<S, V>(V value, float* to, int rest) where S : struct, ISimd<V> where V : struct
    {
        if (rest >= S.Count) S.Store(value, to);
        else S.StorePartial(value, to, rest);
    }

    private static void TransformOutput<S, V>(float* sums, long place, int columns, float* output) where S : struct, ISimd<V> where V : struct
    {
        V near = S.Broadcast(A), far = S.Broadcast(B), nearSquare = S.Broadcast(P), farSquare = S.Broadcast(Q), nearCube = S.Broadcast(P * A), farCube = S.Broadcast(Q * B);
        var rows = stackalloc float[Outputs * Side * 16];
        // Sums of columns behind the last are undefined, but there is memory for them.
        for (var c = 0; c < columns; c += S.Count)
        {
            for (var j = 0; j < Side; j++)
            {
                var m = sums + j * place + c;
                Collect<S, V>(S.Load(m), S.Load(m + Side * place), S.Load(m + 2 * Side * place), S.Load(m + 3 * Side * place), S.Load(m + 4 * Side * place), S.Load(m + 5 * Side * place), near, far, nearSquare, farSquare, nearCube, farCube, rows + j * 16, Side * 16);
            }
            for (var i = 0; i < Outputs; i++)
            {
                var row = rows + i * Side * 16;
                Collect<S, V>(S.Load(row), S.Load(row + 16), S.Load(row + 32), S.Load(row + 48), S.Load(row + 64), S.Load(row + 80), near, far, nearSquare, farSquare, nearCube, farCube, output + i * Outputs * GemmTile.Columns + c, GemmTile.Columns);
            }
        }
    }

    /// <summary>Aᵀ times six values: sums of the points' powers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Collect<S, V>(V m0, V m1, V m2, V m3, V m4, V m5, V near, V far, V nearSquare, V farSquare, V nearCube, V farCube, float* to, long step) where S : struct, ISimd<V> where V : struct
    {
        V nearSum = S.Add(m1, m2), nearDifference = S.Subtract(m1, m2), farSum = S.Add(m3, m4), farDifference = S.Subtract(m3, m4);
        S.Store(S.Add(S.Add(m0, nearSum), farSum), to);
        S.Store(S.MultiplyAdd(far, farDifference, S.Multiply(near, nearDifference)), to + step);
        S.Store(S.MultiplyAdd(farSquare, farSum, S.Multiply(nearSquare, nearSum)), to + 2 * step);
        S.Store(S.Add(S.MultiplyAdd(farCube, farDifference, S.Multiply(nearCube, nearDifference)), m5), to + 3 * step);
    }
}
