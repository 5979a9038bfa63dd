namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ISoftmax
{
    /// <inheritdoc/>
    public void Softmax(View<float> input, int rows, int columns, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var r = 0; r < rows; r++, x += columns, y += columns)
        {
            var max = double.NegativeInfinity;
            for (var c = 0; c < columns; c++) max = Math.Max(max, x[c]);
            var sum = 0.0;
            for (var c = 0; c < columns; c++) sum += Math.Exp(x[c] - max);
            for (var c = 0; c < columns; c++) y[c] = Math.Exp(x[c] - max) / sum;
        }
    }
    /// <inheritdoc/>
    public void SoftmaxBackward(View<float> output, View<float> outputGradient, int rows, int columns, View<float> inputGradient)
    {
        Reals y = Real(output), dy = Real(outputGradient), dx = Real(inputGradient);
        for (var r = 0; r < rows; r++, y += columns, dy += columns, dx += columns)
        {
            var dot = 0.0;
            for (var c = 0; c < columns; c++) dot += dy[c] * y[c];
            for (var c = 0; c < columns; c++) dx[c] = y[c] * (dy[c] - dot);
        }
    }
}
