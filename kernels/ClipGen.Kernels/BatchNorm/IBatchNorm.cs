namespace ClipGen.Kernels;

/// <summary>Batch normalisation (Ioffe and Szegedy 2015) with stored statistics or with those of the rows themselves, channels last, with an activation fused behind it.</summary>
public interface IBatchNorm
{
    /// <summary><c>y = activation((x − mean) / sqrt(variance + eps) · gamma + beta)</c>; x is [rows, C], everything else [C]. The output may be the input.</summary>
    void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output);

    /// <summary>
    /// Training mode: normalises with the mean and biased variance over all rows, which it also writes to <paramref name="mean"/> and <paramref name="variance"/> [C];
    /// <c>y = activation((x − mean) / sqrt(var + eps) · gamma + beta)</c>. No cancellation for large means.
    /// </summary>
    void BatchNormTraining(View<float> input, View<float> gamma, View<float> beta, int rows, int channels, float eps, Activation activation, View<float> mean, View<float> variance, View<float> output);

    /// <summary>Gradients of <see cref="BatchNormTraining"/>; mean and variance are those that it wrote. Overwrites; dx may be dy.</summary>
    void BatchNormBackward(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, View<float> outputGradient, int rows, int channels, float eps, Activation activation,
        View<float> inputGradient, View<float> gammaGradient, View<float> betaGradient);
}
