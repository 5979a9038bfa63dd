namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IGroupNorm
{
    /// <inheritdoc/>
    public void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output)
    {
        var shape = GroupsOf(batch, spatial, channels, groups);
        Activations.Require(activation);
        Arguments.Length(input, shape.Count);
        Arguments.Length(output, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        using var memory = Allocate(12 * shape.Statistics);
        View<float> means = new(memory, 0, shape.Statistics), rests = new(memory, shape.Statistics, shape.Statistics), factors = new(memory, 2 * shape.Statistics, shape.Statistics);
        NormStatistics(shape, input, eps, means, rests, default, factors);
        Normalize(shape, input, gamma, beta, means, rests, factors, activation, output);
    }

    /// <inheritdoc/>
    public void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        var shape = GroupsOf(batch, spatial, channels, groups);
        Activations.Require(activation);
        Arguments.Length(input, shape.Count);
        Arguments.Length(outputGradient, shape.Count);
        Arguments.Length(inputGradient, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(gammaGradient, channels);
        Arguments.Length(betaGradient, channels);
        using var memory = Allocate(12 * shape.Statistics);
        View<float> means = new(memory, 0, shape.Statistics), rests = new(memory, shape.Statistics, shape.Statistics), factors = new(memory, 2 * shape.Statistics, shape.Statistics);
        NormStatistics(shape, input, eps, means, rests, default, factors);
        NormBackward(shape, input, gamma, beta, means, rests, factors, outputGradient, activation, inputGradient, gammaGradient, betaGradient);
    }

    private static NormShape GroupsOf(int batch, int spatial, int channels, int groups, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        GroupShape.Of(batch, spatial, channels, groups, op);
        return new NormShape((long)batch * spatial, spatial, channels, groups);
    }
}
