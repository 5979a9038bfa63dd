namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IBatchNorm
{
    /// <inheritdoc/>
    public void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output)
    {
        Arguments.Require(rows >= 0 && channels > 0, $"{rows} rows of {channels} channels");
        Activations.Require(activation);
        var shape = new NormShape(rows, Math.Max(1, rows), channels, channels);
        Arguments.Length(input, shape.Count);
        Arguments.Length(output, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(mean, channels);
        Arguments.Length(variance, channels);
        using var memory = Allocate(4L * channels);
        var factors = new View<float>(memory, 0, channels);
        NormFactors(variance, eps, factors);
        Normalize(shape, input, gamma, beta, mean, default, factors, activation, output);
    }

    /// <inheritdoc/>
    public void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output)
    {
        GroupShape.OfRows(rows, channels);
        Activations.Require(activation);
        var shape = new NormShape(rows, rows, channels, channels);
        Arguments.Length(input, shape.Count);
        Arguments.Length(output, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(mean, channels);
        Arguments.Length(variance, channels);
        using var memory = Allocate(8L * channels);
        View<float> factors = new(memory, 0, channels), rests = new(memory, channels, channels);
        NormStatistics(shape, input, eps, mean, rests, variance, factors);
        Normalize(shape, input, gamma, beta, mean, rests, factors, activation, output);
    }

    /// <inheritdoc/>
    public void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient)
    {
        GroupShape.OfRows(rows, channels);
        Activations.Require(activation);
        var shape = new NormShape(rows, rows, channels, channels);
        Arguments.Length(input, shape.Count);
        Arguments.Length(outputGradient, shape.Count);
        Arguments.Length(inputGradient, shape.Count);
        Arguments.Length(gamma, channels);
        Arguments.Length(beta, channels);
        Arguments.Length(mean, channels);
        Arguments.Length(variance, channels);
        Arguments.Length(gammaGradient, channels);
        Arguments.Length(betaGradient, channels);
        using var memory = Allocate(4L * channels);
        var factors = new View<float>(memory, 0, channels);
        NormFactors(variance, eps, factors);
        NormBackward(shape, input, gamma, beta, mean, default, factors, outputGradient, activation, inputGradient, gammaGradient, betaGradient);
    }
}
