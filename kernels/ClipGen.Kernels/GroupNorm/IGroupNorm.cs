namespace ClipGen.Kernels;

/// <summary>Group normalisation (Wu and He 2018), channels last, with an activation fused behind it.</summary>
public interface IGroupNorm
{
    /// <summary>
    /// For each picture and group of C/groups neighbouring channels: <c>y = activation((x − mean) / sqrt(var + eps) · gamma + beta)</c>;
    /// x is [B, spatial, C]. Biased variance, no cancellation for large means. The output may be the input.
    /// </summary>
    void GroupNorm(View<float> input, View<float> gamma, View<float> beta, int batch, int spatial, int channels, int groups, float eps, Activation activation, View<float> output);

    /// <summary>
    /// Gradients; mean, variance and the value in front of the activation are computed again from the input. dx as for a layer norm over each group, dgamma and dbeta [C] summed over pictures and pixels.
    /// Overwrites; dx may be dy. Equal bits for any number of threads; dx of a picture does not depend on the batch.
    /// </summary>
    void GroupNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> outputGradient, int batch, int spatial, int channels, int groups, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient);
}
