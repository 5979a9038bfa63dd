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
}
