namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ISoftmax
{
    /// <inheritdoc/>
    public void Softmax(View<float> input, int rows, int columns, View<float> output)
    {
        float* x = Pointer(input), y = Pointer(output);
        for (var r = 0; r < rows; r++, x += columns, y += columns)
        {
            var max = float.NegativeInfinity;
            for (var c = 0; c < columns; c++) max = MathF.Max(max, x[c]);
            var sum = 0.0;
            for (var c = 0; c < columns; c++) sum += Math.Exp((double)x[c] - max);
            for (var c = 0; c < columns; c++) y[c] = (float)(Math.Exp((double)x[c] - max) / sum);
        }
    }
}
