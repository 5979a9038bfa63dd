namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IBatchNorm
{
    /// <inheritdoc/>
    public void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output)
    {
        Arguments.Require(rows >= 0 && channels > 0, $"{rows} rows of {channels} channels");
        Arguments.Length(input, (long)rows * channels);
        Arguments.Length(output, (long)rows * channels);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(mean, channels);
        Arguments.Length(variance, channels);
        float* x = Pointer(input), g = Pointer(gamma), b = Pointer(beta), m = Pointer(mean), v = Pointer(variance), y = Pointer(output);
        using var memory = Allocate(4L * channels);
        var factor = Pointer(new View<float>(memory, 0, channels));
        for (var c = 0; c < channels; c++) factor[c] = (float)(g[c] / Math.Sqrt((double)v[c] + eps));
        var level = Simd;
        Workers.For((rows + GroupNormRows - 1) / GroupNormRows, part =>
        {
            var first = (long)part * GroupNormRows * channels;
            NormalizeKernel.Rows(level, activation, x + first, m, factor, b, Math.Min(GroupNormRows, rows - part * GroupNormRows), channels, y + first);
        });
    }
}
