namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IBatchNorm
{
    /// <inheritdoc/>
    public void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output)
    {
        Reals x = Real(input), g = Real(gamma), b = Real(beta), m = Real(mean), v = Real(variance), y = Real(output);
        for (var i = 0L; i < (long)rows * channels; i++)
        {
            var c = i % channels;
            y[i] = Activated(activation, (x[i] - m[c]) / Math.Sqrt(v[c] + eps) * g[c] + b[c]);
        }
    }

    /// <inheritdoc/>
    public void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output)
    {
        Reals x = Real(input), g = Real(gamma), b = Real(beta), means = Real(mean), variances = Real(variance), y = Real(output);
        for (var c = 0; c < channels; c++)
        {
            double m = 0, v = 0;
            for (var r = 0; r < rows; r++) m += x[(long)r * channels + c] / rows;
            for (var r = 0; r < rows; r++) v += Math.Pow(x[(long)r * channels + c] - m, 2) / rows;
            means[c] = m;
            variances[c] = v;
            for (var r = 0; r < rows; r++) y[(long)r * channels + c] = Activated(activation, (x[(long)r * channels + c] - m) / Math.Sqrt(v + eps) * g[c] + b[c]);
        }
    }

    /// <inheritdoc/>
    public void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        Reals x = Real(input), g = Real(gamma), b = Real(beta), means = Real(mean), variances = Real(variance);
        Reals dy = Real(outputGradient), dx = Real(inputGradient), dgamma = Real(gammaGradient), dbeta = Real(betaGradient);
        for (var c = 0; c < channels; c++)
        {
            var deviation = Math.Sqrt(variances[c] + eps);
            double sum = 0, products = 0;
            for (long r = 0, i = c; r < rows; r++, i += channels)
            {
                var normalised = (x[i] - means[c]) / deviation;
                var dz = dy[i] * Derivative(activation, normalised * g[c] + b[c]);
                sum += dz;
                products += dz * normalised;
            }
            for (long r = 0, i = c; r < rows; r++, i += channels)
            {
                var normalised = (x[i] - means[c]) / deviation;
                var dz = dy[i] * Derivative(activation, normalised * g[c] + b[c]);
                dx[i] = g[c] * (dz - sum / rows - normalised * products / rows) / deviation;
            }
            dgamma[c] = products;
            dbeta[c] = sum;
        }
    }
}
