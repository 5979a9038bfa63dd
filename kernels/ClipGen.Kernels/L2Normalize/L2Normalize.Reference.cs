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
}
