namespace ClipGen.Kernels;

/// <summary>Moves data without changing it.</summary>
public interface ILayout
{
    /// <summary>Copies a rectangle: row r of <paramref name="width"/> floats from <c>source[r·sourceStride…]</c> to <c>destination[r·destinationStride…]</c>.</summary>
    void CopyRows(View<float> source, int sourceStride, int rows, int width, int destinationStride, View<float> destination);

    /// <summary>Transposes each of <paramref name="batch"/> matrices [rows, columns] -> [columns, rows]: [B,C,H·W] to [B,H·W,C] and back.</summary>
    void Transpose(View<float> input, int batch, int rows, int columns, View<float> output);
}
