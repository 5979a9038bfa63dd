namespace ClipGen.Kernels;

/// <summary>Scaling of rows to Euclidean length one.</summary>
public interface IL2Normalize
{
    /// <summary><c>y = x / max(‖x‖₂, eps)</c> for each row. The output may be the input.</summary>
    void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output);

    /// <summary>Gradient: with n = ‖x‖, <c>dx = (dy − y · Σ dy · y) / n</c> where n &gt; eps, else dy / eps. Overwrites; dx may be dy.</summary>
    void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient);
}
