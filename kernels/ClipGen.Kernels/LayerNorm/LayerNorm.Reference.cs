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
}
