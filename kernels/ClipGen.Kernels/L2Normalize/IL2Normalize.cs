namespace ClipGen.Kernels;

/// <summary>Scaling of rows to Euclidean length one.</summary>
public interface IL2Normalize
{
    /// <summary><c>y = x / max(‖x‖₂, eps)</c> for each row. The output may be the input.</summary>
    void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output);
}
