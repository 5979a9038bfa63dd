namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IL2Normalize
{
    /// <inheritdoc/>
    public void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var r = 0; r < rows; r++, x += columns, y += columns)
        {
            var sum = 0.0;
            for (var c = 0; c < columns; c++) sum += x[c] * x[c];
            var length = Math.Max(Math.Sqrt(sum), eps);
            for (var c = 0; c < columns; c++) y[c] = x[c] / length;
        }
    }

    /// <inheritdoc/>
    public void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient)
    {
        Reals x = Real(input), dy = Real(outputGradient), dx = Real(inputGradient);
        for (var r = 0; r < rows; r++, x += columns, dy += columns, dx += columns)
        {
            double squares = 0, products = 0;
            for (var c = 0; c < columns; c++)
            {
                squares += x[c] * x[c];
                products += dy[c] * x[c];
            }
            var length = Math.Sqrt(squares);
            for (var c = 0; c < columns; c++) dx[c] = length > eps ? (dy[c] - x[c] / length * (products / length)) / length : dy[c] / eps;
        }
    }
}
