namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IL2Normalize
{
    /// <inheritdoc/>
    public void L2Normalize(View<float> input, int rows, int columns, float eps, View<float> output)
    {
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(output, (long)rows * columns);
        if (columns == 0) return;
        float* x = Pointer(input), y = Pointer(output);
        var level = Simd;
        var rowsPerPart = Math.Max(1, ElementwisePart / columns);
        Workers.For((rows + rowsPerPart - 1) / rowsPerPart, part =>
        {
            for (var r = part * rowsPerPart; r < Math.Min(rows, (part + 1) * rowsPerPart); r++)
            {
                var from = x + (long)r * columns;
                var length = (float)Math.Max(Math.Sqrt(ReduceKernel.SumOfSquares(level, from, columns)), eps);
                var to = y + (long)r * columns;
                for (var c = 0; c < columns; c++) to[c] = from[c] / length;
            }
        });
    }

    /// <inheritdoc/>
    public void L2NormalizeBackward(View<float> input, View<float> outputGradient, int rows, int columns, float eps, View<float> inputGradient)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns}");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(outputGradient, (long)rows * columns);
        Arguments.Length(inputGradient, (long)rows * columns);
        if (columns == 0) return;
        float* x = Pointer(input), dy = Pointer(outputGradient), dx = Pointer(inputGradient);
        var level = Simd;
        var rowsPerPart = Math.Max(1, ElementwisePart / columns);
        Workers.For((int)(((long)rows + rowsPerPart - 1) / rowsPerPart), part =>
        {
            var end = Math.Min(rows, (part + 1L) * rowsPerPart);
            for (var r = (long)part * rowsPerPart; r < end; r++) L2NormalizeGradientKernel.Row(level, x + r * columns, dy + r * columns, columns, eps, dx + r * columns);
        });
    }
}
