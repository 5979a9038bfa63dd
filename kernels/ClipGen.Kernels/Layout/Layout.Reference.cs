namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : ILayout
{
    /// <inheritdoc/>
    public void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination)
    {
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < width; c++)
                Pointer(destination)[(long)r * destinationStride + c] = Pointer(source)[(long)r * sourceStride + c];
    }

    /// <inheritdoc/>
    public void Transpose(View<float> input, int batch, int rows, int columns, View<float> output)
    {
        for (var b = 0; b < batch; b++)
            for (var r = 0; r < rows; r++)
                for (var c = 0; c < columns; c++)
                    Pointer(output)[((long)b * columns + c) * rows + r] = Pointer(input)[((long)b * rows + r) * columns + c];
    }
}
