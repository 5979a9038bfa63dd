namespace ClipGen.Kernels;

/// <summary>Softmax over the last axis.</summary>
public interface ISoftmax
{
    /// <summary><c>y_i = exp(x_i − max) / Σ exp(x_j − max)</c> for each row; entries of −∞ give 0, a row of only −∞ gives NaN as in PyTorch. The output may be the input.</summary>
    void Softmax(View<float> input, int rows, int columns, View<float> output);
}
