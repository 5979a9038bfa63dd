namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IGroupNorm
{
    /// <inheritdoc/>
    public void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output)
    {
        var shape = GroupShape.Of(batch, spatial, channels, groups);
        Arguments.Length(input, shape.Count);
        Arguments.Length(output, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        using var memory = Allocate(16L * shape.Statistics);
        var means = Pointer(new View<double>(memory, 0, 2L * shape.Statistics));
        var variances = means + shape.Statistics;
        GroupStatistics(shape, Pointer(input), means, variances);
        NormalizeGroups(shape, Pointer(input), Pointer(gamma), Pointer(beta), means, variances, eps, activation, Pointer(output));
    }

    /// <inheritdoc/>
    public void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        var shape = GroupShape.Of(batch, spatial, channels, groups);
        Arguments.Length(input, shape.Count);
        Arguments.Length(outputGradient, shape.Count);
        Arguments.Length(inputGradient, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(gammaGradient, channels);
        Arguments.Length(betaGradient, channels);
        using var memory = Allocate(16L * shape.Statistics);
        var means = Pointer(new View<double>(memory, 0, 2L * shape.Statistics));
        var variances = means + shape.Statistics;
        GroupStatistics(shape, Pointer(input), means, variances);
        NormalizeGroupsBackward(shape, Pointer(input), Pointer(gamma), Pointer(beta), means, variances, eps, activation, Pointer(outputGradient), Pointer(inputGradient), Pointer(gammaGradient), Pointer(betaGradient));
    }
}
