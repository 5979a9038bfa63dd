namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ILayerNorm
{
    /// <inheritdoc/>
    public void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output)
    {
        Reals x = Real(input), g = Real(gamma), b = Real(beta), y = Real(output);
        for (var r = 0; r < rows; r++, x += channels, y += channels)
        {
            double mean = 0, variance = 0;
            for (var c = 0; c < channels; c++) mean += x[c];
            mean /= channels;
            for (var c = 0; c < channels; c++) variance += (x[c] - mean) * (x[c] - mean);
            variance /= channels;
            for (var c = 0; c < channels; c++) y[c] = (x[c] - mean) / Math.Sqrt(variance + eps) * g[c] + b[c];
        }
    }

    /// <inheritdoc/>
    public void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Reals x = Real(input), gain = Real(gamma), dy = Real(outputGradient), dx = Real(inputGradient), dgamma = Real(gammaGradient), dbeta = Real(betaGradient);
        double[] gammaSums = new double[channels], betaSums = new double[channels];
        for (var r = 0; r < rows; r++, x += channels, dy += channels, dx += channels)
        {
            double mean = 0, variance = 0, meanG = 0, meanGx = 0;
            for (var c = 0; c < channels; c++) mean += x[c];
            mean /= channels;
            for (var c = 0; c < channels; c++) variance += (x[c] - mean) * (x[c] - mean);
            var deviation = Math.Sqrt(variance / channels + eps);
            for (var c = 0; c < channels; c++)
            {
                var normalised = (x[c] - mean) / deviation;
                meanG += dy[c] * gain[c] / channels;
                meanGx += dy[c] * gain[c] * normalised / channels;
                gammaSums[c] += dy[c] * normalised;
                betaSums[c] += dy[c];
            }
            for (var c = 0; c < channels; c++) dx[c] = (dy[c] * gain[c] - meanG - (x[c] - mean) / deviation * meanGx) / deviation;
        }
        for (var c = 0; c < channels; c++)
        {
            dgamma[c] = gammaSums[c];
            dbeta[c] = betaSums[c];
        }
    }
}
