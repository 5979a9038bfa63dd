namespace ClipGen.Kernels;

/// <summary>Layer normalisation (Ba, Kiros, Hinton 2016) over the last axis.</summary>
public interface ILayerNorm
{
    /// <summary><c>y = (x − mean) / sqrt(var + eps) · gamma + beta</c> for each of <paramref name="rows"/> rows of C; var is the biased variance, computed in two passes. The output may be the input.</summary>
    void LayerNorm(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, View<float> output);
}
