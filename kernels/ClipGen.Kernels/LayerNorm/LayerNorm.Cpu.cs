using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : ILayerNorm
{
    // Rows of one part; a decode step (one row per sequence) stays on the calling thread.
    private const int LayerNormRows = 32;

    /// <inheritdoc/>
    public void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output)
    {
        Arguments.Require(rows >= 0 && channels > 0, $"{rows} rows of {channels} channels");
        Arguments.Length(input, (long)rows * channels);
        Arguments.Length(output, (long)rows * channels);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        float* x = Pointer(input), g = Pointer(gamma), b = Pointer(beta), y = Pointer(output);
        var level = Simd;
        if (rows <= LayerNormRows)
        {
            LayerNormKernel.Rows(level, x, g, b, rows, channels, eps, y);
            return;
        }
        Workers.For((rows + LayerNormRows - 1) / LayerNormRows, part =>
        {
            var first = (long)part * LayerNormRows;
            LayerNormKernel.Rows(level, x + first * channels, g, b, (int)Math.Min(LayerNormRows, rows - first), channels, eps, y + first * channels);
        });
    }

    // Rows whose shares of dgamma and dbeta are summed in float before double takes over; also a part.
    private const int LayerNormBackwardRows = 64;

    // Channels of one part when the blocks' sums are added: a few cache lines, so that no two parts write the same one.
    private const int LayerNormBackwardChannels = 256;

    /// <inheritdoc/>
    public void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Arguments.Require(rows >= 0 && channels > 0, $"{rows} rows of {channels} channels");
        Arguments.Length(input, (long)rows * channels);
        Arguments.Length(outputGradient, (long)rows * channels);
        Arguments.Length(inputGradient, (long)rows * channels);
        Arguments.Length(gamma, channels);
        Arguments.Length(gammaGradient, channels);
        Arguments.Length(betaGradient, channels);
        float* x = Pointer(input), g = Pointer(gamma), dy = Pointer(outputGradient), dx = Pointer(inputGradient), dgamma = Pointer(gammaGradient), dbeta = Pointer(betaGradient);
        var level = Simd;
        var blocks = (int)(((long)rows + LayerNormBackwardRows - 1) / LayerNormBackwardRows);
        using var memory = Allocate(4L * blocks * 2 * channels);
        var sums = Pointer(new View<float>(memory, 0, 2L * blocks * channels));
        Workers.For(blocks, block =>
        {
            var first = (long)block * LayerNormBackwardRows;
            LayerNormGradientKernel.Rows(level, x + first * channels, g, dy + first * channels, (int)Math.Min(LayerNormBackwardRows, rows - first), channels, eps, dx + first * channels, sums + 2L * block * channels);
        });
        Workers.For((channels + LayerNormBackwardChannels - 1) / LayerNormBackwardChannels, part =>
        {
            var end = Math.Min(channels, (part + 1) * LayerNormBackwardChannels);
            for (var c = part * LayerNormBackwardChannels; c < end; c++)
            {
                double gammaSum = 0, betaSum = 0;
                for (var block = 0; block < blocks; block++)
                {
                    gammaSum += sums[2L * block * channels + c];
                    betaSum += sums[(2L * block + 1) * channels + c];
                }
                dgamma[c] = (float)gammaSum;
                dbeta[c] = (float)betaSum;
            }
        });
    }
}

/// <summary>Layer normalisation of whole rows.</summary>
internal static unsafe class LayerNormKernel
{
    public static void Rows(SimdLevel level, float* x, float* gamma, float* beta, int rows, int channels, float eps, float* y)
    {
        if (level == SimdLevel.Avx512) Rows<Simd512, Vector512<float>>(x, gamma, beta, rows, channels, eps, y);
        else if (level == SimdLevel.Avx2) Rows<Simd256, Vector256<float>>(x, gamma, beta, rows, channels, eps, y);
        else Rows<Simd128, Vector128<float>>(x, gamma, beta, rows, channels, eps, y);
    }

    private static void Rows<S, V>(float* x, float* gamma, float* beta, int rows, int channels, float eps, float* y) where S : struct, ISimd<V> where V : struct
    {
        for (var r = 0; r < rows; r++, x += channels, y += channels)
        {
            // Two passes over data that the first one has brought into the cache.
            var first = x[0];
            var mean = MeanFromFirst<S, V>(x, channels);

            V shift = S.Broadcast(first), centre = S.Broadcast(mean), squares = S.Zero;
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
            {
                var d = S.Subtract(S.Subtract(S.Load(x + c), shift), centre);
                squares = S.MultiplyAdd(d, d, squares);
            }
            double variance = S.Sum(squares);
            for (var tail = c; tail < channels; tail++) variance += (double)(x[tail] - first - mean) * (x[tail] - first - mean);
            var inverse = (float)(1 / Math.Sqrt(variance / channels + eps));

            var factor = S.Broadcast(inverse);
            for (c = 0; c + S.Count <= channels; c += S.Count)
            {
                var d = S.Subtract(S.Subtract(S.Load(x + c), shift), centre);
                S.Store(S.MultiplyAdd(S.Multiply(d, factor), S.Load(gamma + c), S.Load(beta + c)), y + c);
            }
            for (; c < channels; c++) y[c] = (x[c] - first - mean) * inverse * gamma[c] + beta[c];
        }
    }

    /// <summary>
    /// Mean of x − x[0]. The row's first value is taken out before anything is summed, so a large mean costs no digits: neither in the sum
    /// of the lanes nor in the differences.
    /// </summary>
    public static float MeanFromFirst<S, V>(float* x, int channels) where S : struct, ISimd<V> where V : struct
    {
        V shift = S.Broadcast(x[0]), sum = S.Zero;
        var c = 0;
        for (; c + S.Count <= channels; c += S.Count) sum = S.Add(sum, S.Subtract(S.Load(x + c), shift));
        double total = S.Sum(sum);
        for (; c < channels; c++) total += x[c] - x[0];
        return (float)(total / channels);
    }
}
