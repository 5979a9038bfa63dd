namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IGroupNorm
{
    /// <inheritdoc/>
    public void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output)
    {
        Reals x = Real(input), g = Real(gamma), o = Real(beta), y = Real(output);
        var size = channels / groups;
        for (var b = 0; b < batch; b++, x += (long)spatial * channels, y += (long)spatial * channels)
            for (var group = 0; group < groups; group++)
            {
                double mean = 0, variance = 0;
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++) mean += x[(long)s * channels + c];
                mean /= (double)spatial * size;
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++) variance += Math.Pow(x[(long)s * channels + c] - mean, 2);
                variance /= (double)spatial * size;
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++)
                        y[(long)s * channels + c] = Activated(activation, (x[(long)s * channels + c] - mean) / Math.Sqrt(variance + eps) * g[c] + o[c]);
            }
    }

    /// <inheritdoc/>
    public void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Reals x = Real(input), gain = Real(gamma), shift = Real(beta), dy = Real(outputGradient), dx = Real(inputGradient), dgamma = Real(gammaGradient), dbeta = Real(betaGradient);
        double[] gammaSums = new double[channels], betaSums = new double[channels];
        var size = channels / groups;
        var elements = (double)spatial * size;
        for (var b = 0; b < batch; b++, x += (long)spatial * channels, dy += (long)spatial * channels, dx += (long)spatial * channels)
            for (var group = 0; group < groups; group++)
            {
                double mean = 0, variance = 0, meanG = 0, meanGx = 0;
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++) mean += x[(long)s * channels + c] / elements;
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++) variance += Math.Pow(x[(long)s * channels + c] - mean, 2) / elements;
                var deviation = Math.Sqrt(variance + eps);
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++)
                    {
                        var normalised = (x[(long)s * channels + c] - mean) / deviation;
                        var dz = dy[(long)s * channels + c] * Derivative(activation, normalised * gain[c] + shift[c]);
                        meanG += dz * gain[c] / elements;
                        meanGx += dz * gain[c] * normalised / elements;
                        gammaSums[c] += dz * normalised;
                        betaSums[c] += dz;
                    }
                for (var s = 0; s < spatial; s++)
                    for (var c = group * size; c < (group + 1) * size; c++)
                    {
                        var normalised = (x[(long)s * channels + c] - mean) / deviation;
                        var dz = dy[(long)s * channels + c] * Derivative(activation, normalised * gain[c] + shift[c]);
                        dx[(long)s * channels + c] = (dz * gain[c] - meanG - normalised * meanGx) / deviation;
                    }
            }
        for (var c = 0; c < channels; c++)
        {
            dgamma[c] = gammaSums[c];
            dbeta[c] = betaSums[c];
        }
    }
}
