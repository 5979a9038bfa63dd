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
}
