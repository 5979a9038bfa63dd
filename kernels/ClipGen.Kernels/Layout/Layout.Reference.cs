namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ILayout
{
    /// <inheritdoc/>
    public void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination)
    {
        Reals x = Real(source), y = Real(destination);
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < width; c++)
                y[(long)r * destinationStride + c] = x[(long)r * sourceStride + c];
    }

    /// <inheritdoc/>
    public void Transpose(View<float> input, int batch, int rows, int columns, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var b = 0; b < batch; b++)
            for (var r = 0; r < rows; r++)
                for (var c = 0; c < columns; c++)
                    y[((long)b * columns + c) * rows + r] = x[((long)b * rows + r) * columns + c];
    }
}
