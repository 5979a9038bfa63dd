namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IBatchNorm
{
    /// <inheritdoc/>
    public void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output)
    {
        float* x = Pointer(input), g = Pointer(gamma), b = Pointer(beta), m = Pointer(mean), v = Pointer(variance), y = Pointer(output);
        for (var i = 0L; i < (long)rows * channels; i++)
        {
            var c = i % channels;
            y[i] = (float)Activated(activation, (x[i] - (double)m[c]) / Math.Sqrt((double)v[c] + eps) * g[c] + b[c]);
        }
    }
}
