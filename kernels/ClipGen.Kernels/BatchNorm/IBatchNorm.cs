namespace ClipGen.Kernels;

/// <summary>Batch normalisation (Ioffe and Szegedy 2015) with stored statistics, channels last, with an activation fused behind it.</summary>
public interface IBatchNorm
{
    /// <summary><c>y = activation((x − mean) / sqrt(variance + eps) · gamma + beta)</c>; x is [rows, C], everything else [C]. The output may be the input.</summary>
    void BatchNormInference(View<float> input, View<float> gamma, View<float> beta, View<float> mean, View<float> variance, int rows, int channels, float eps, Activation activation, View<float> output);
}
