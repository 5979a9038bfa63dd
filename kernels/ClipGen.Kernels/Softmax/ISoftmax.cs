namespace ClipGen.Kernels;

/// <summary>Softmax over the last axis.</summary>
public interface ISoftmax
{
    /// <summary><c>y_i = exp(x_i − max) / Σ exp(x_j − max)</c> for each row; entries of −∞ give 0, a row of only −∞ gives NaN as in PyTorch. The output may be the input.</summary>
    void Softmax(View<float> input, int rows, int columns, View<float> output);

    /// <summary>Gradient from the output y: <c>dx = y · (dy − Σ dy · y)</c> per row. Overwrites; dx may be dy.</summary>
    void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient);
}
