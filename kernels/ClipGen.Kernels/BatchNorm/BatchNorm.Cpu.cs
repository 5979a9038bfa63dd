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
        var shape = new GroupShape(1, rows, channels, channels);
        Workers.For(shape.Blocks, part =>
        {
            var (_, first, count) = shape.Block(part);
            NormalizeKernel.Rows(level, activation, x + first, m, factor, b, count, channels, y + first);
        });
    }

    /// <inheritdoc/>
    public void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output)
    {
        var shape = GroupShape.OfRows(rows, channels);
        Arguments.Length(input, shape.Count);
        Arguments.Length(output, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(mean, channels);
        Arguments.Length(variance, channels);
        float* m = Pointer(mean), v = Pointer(variance);
        using var memory = Allocate(16L * channels);
        var means = Pointer(new View<double>(memory, 0, 2L * channels));
        var variances = means + channels;
        GroupStatistics(shape, Pointer(input), means, variances);
        for (var c = 0; c < channels; c++)
        {
            m[c] = (float)means[c];
            v[c] = (float)variances[c];
        }
        NormalizeGroups(shape, Pointer(input), Pointer(gamma), Pointer(beta), means, variances, eps, activation, Pointer(output));
    }

    /// <inheritdoc/>
    public void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        var shape = GroupShape.OfRows(rows, channels);
        Arguments.Length(input, shape.Count);
        Arguments.Length(outputGradient, shape.Count);
        Arguments.Length(inputGradient, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(mean, channels);
        Arguments.Length(variance, channels);
        Arguments.Length(gammaGradient, channels);
        Arguments.Length(betaGradient, channels);
        float* m = Pointer(mean), v = Pointer(variance);
        using var memory = Allocate(16L * channels);
        var means = Pointer(new View<double>(memory, 0, 2L * channels));
        var variances = means + channels;
        for (var c = 0; c < channels; c++)
        {
            means[c] = m[c];
            variances[c] = v[c];
        }
        NormalizeGroupsBackward(shape, Pointer(input), Pointer(gamma), Pointer(beta), means, variances, eps, activation, Pointer(outputGradient), Pointer(inputGradient), Pointer(gammaGradient), Pointer(betaGradient));
    }
}
