using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Gradients of layer normalisation for a block of rows.</summary>
internal static unsafe class LayerNormGradientKernel
{
    /// <summary>dx of every row (it may be dy), and the block's sums over rows: Σ dy·x̂ into <c>sums[0..C)</c>, Σ dy into <c>sums[C..2C)</c>.</summary>
    public static void Rows(SimdLevel level, float* x, float* gamma, float* dy, int rows, int channels, float eps, float* dx, float* sums)
    {
        if (level == SimdLevel.Avx512) Rows<Simd512, Vector512<float>>(x, gamma, dy, rows, channels, eps, dx, sums);
        else if (level == SimdLevel.Avx2) Rows<Simd256, Vector256<float>>(x, gamma, dy, rows, channels, eps, dx, sums);
        else Rows<Simd128, Vector128<float>>(x, gamma, dy, rows, channels, eps, dx, sums);
    }

    private static void Rows<S, V>(float* x, float* gamma, float* dy, int rows, int channels, float eps, float* dx, float* sums) where S : struct, ISimd<V> where V : struct
    {
        new Span<float>(sums, 2 * channels).Clear();
        for (var r = 0; r < rows; r++, x += channels, dy += channels, dx += channels) Row<S, V>(x, gamma, dy, channels, eps, dx, sums, sums + channels);
    }

    private static void Row<S, V>(float* x, float* gamma, float* dy, int channels, float eps, float* dx, float* gammaSums, float* betaSums) where S : struct, ISimd<V> where V : struct
    {
        var first = x[0];
        var mean = LayerNormKernel.MeanFromFirst<S, V>(x, channels);

        // With d = x − mean, everything that dx needs of the row in one pass: Σ d², Σ g and Σ g·d, where g = dy·gamma.
        V shift = S.Broadcast(first), centre = S.Broadcast(mean), squares = S.Zero, gradients = S.Zero, products = S.Zero;
        var c = 0;
        for (; c + S.Count <= channels; c += S.Count)
        {
            var d = S.Subtract(S.Subtract(S.Load(x + c), shift), centre);
            var g = S.Multiply(S.Load(dy + c), S.Load(gamma + c));
            squares = S.MultiplyAdd(d, d, squares);
            gradients = S.Add(gradients, g);
            products = S.MultiplyAdd(g, d, products);
        }
        double sumSquares = S.Sum(squares), sumG = S.Sum(gradients), sumGd = S.Sum(products);
        for (var tail = c; tail < channels; tail++)
        {
            var d = (double)x[tail] - first - mean;
            var g = (double)dy[tail] * gamma[tail];
            sumSquares += d * d;
            sumG += g;
            sumGd += g * d;
        }

        // dx = (g − mean(g) − x̂·mean(g·x̂)) / σ with x̂ = d / σ. The means go before the factor, which is large where the row hardly varies.
        var exact = 1 / Math.Sqrt(sumSquares / channels + eps);
        var inverse = (float)exact;
        var meanG = (float)(sumG / channels);
        var slope = (float)(-sumGd / channels * exact * exact);
        V factor = S.Broadcast(inverse), slopes = S.Broadcast(slope), means = S.Broadcast(meanG);
        for (c = 0; c + S.Count <= channels; c += S.Count)
        {
            var d = S.Subtract(S.Subtract(S.Load(x + c), shift), centre);
            var upstream = S.Load(dy + c);
            S.Store(S.MultiplyAdd(upstream, S.Multiply(d, factor), S.Load(gammaSums + c)), gammaSums + c);
            S.Store(S.Add(S.Load(betaSums + c), upstream), betaSums + c);
            var g = S.Multiply(upstream, S.Load(gamma + c));
            S.Store(S.Multiply(S.MultiplyAdd(d, slopes, S.Subtract(g, means)), factor), dx + c);
        }
        for (; c < channels; c++)
        {
            var d = x[c] - first - mean;
            var upstream = dy[c];
            gammaSums[c] += upstream * (d * inverse);
            betaSums[c] += upstream;
            dx[c] = (d * slope + (upstream * gamma[c] - meanG)) * inverse;
        }
    }
}
