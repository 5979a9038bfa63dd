namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : ILayout
{
    // Side of a square that is moved at once: its rows and columns fit the first-level cache together.
    private const int TransposeBlock = 32;

    /// <inheritdoc/>
    public void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination)
    {
        Arguments.Require(rows >= 0 && width >= 0 && sourceStride >= 0 && (destinationStride >= width || rows <= 1), $"{rows} rows of {width} floats with strides {sourceStride} and {destinationStride}");
        if (rows == 0 || width == 0) return;
        Arguments.Length(source, (long)(rows - 1) * sourceStride + width);
        Arguments.Length(destination, (long)(rows - 1) * destinationStride + width);
        float* from = Pointer(source), to = Pointer(destination);
        for (var r = 0; r < rows; r++)
            new Span<float>(from + (long)r * sourceStride, width).CopyTo(new Span<float>(to + (long)r * destinationStride, width));
    }

    /// <inheritdoc/>
    public void Transpose(View<float> input, int batch, int rows, int columns, View<float> output)
    {
        var count = checked((long)batch * rows * columns);
        Arguments.Length(input, count);
        Arguments.Length(output, count);
        if (count == 0) return;
        float* x = Pointer(input), y = Pointer(output);
        var blocks = (rows + TransposeBlock - 1) / TransposeBlock;
        Workers.For(checked(batch * blocks), part =>
        {
            var offset = (long)(part / blocks) * rows * columns;
            int first = part % blocks * TransposeBlock, end = Math.Min(rows, first + TransposeBlock);
            for (var column = 0; column < columns; column += TransposeBlock)
                for (var c = column; c < Math.Min(columns, column + TransposeBlock); c++)
                    for (var r = first; r < end; r++)
                        y[offset + (long)c * rows + r] = x[offset + (long)r * columns + c];
        });
    }
}
