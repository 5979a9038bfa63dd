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
}
