namespace ClipGen.Kernels;

/// <summary>Layer normalisation (Ba, Kiros, Hinton 2016) over the last axis.</summary>
public interface ILayerNorm
{
    /// <summary><c>y = (x − mean) / sqrt(var + eps) · gamma + beta</c> for each of <paramref name="rows"/> rows of C; var is the biased variance, computed in two passes. The output may be the input.</summary>
    void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output);

    /// <summary>
    /// Gradients; mean and variance are computed again from the input. With x̂ the normalised input and g = dy · gamma:
    /// <c>dx = (g − mean(g) − x̂ · mean(g · x̂)) / sqrt(var + eps)</c>, <c>dgamma = Σ_rows dy · x̂</c>, <c>dbeta = Σ_rows dy</c>. Overwrites; dx may be dy. Sums over rows run in
    /// fixed blocks: equal bits for any number of threads.
    /// </summary>
    void LayerNormBackward(View<float> input, View<float> gamma, View<float> outputGradient, int rows, int channels, float eps, View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient);
}
