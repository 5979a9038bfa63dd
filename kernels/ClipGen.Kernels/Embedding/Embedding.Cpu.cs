namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IEmbedding
{
    /// <inheritdoc/>
    public void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output)
    {
        Arguments.Require(tableRows >= 0 && width >= 0, $"table of {tableRows} rows of {width}");
        Arguments.Length(table, (long)tableRows * width);
        Arguments.Length(output, indices.Length * width);
        var rows = Span(indices);
        for (var i = 0; i < rows.Length; i++)
            if ((uint)rows[i] >= (uint)tableRows)
                throw new ArgumentOutOfRangeException(nameof(indices), $"Embedding: index {rows[i]} at {i} is outside the table of {tableRows} rows");
        float* from = Pointer(table), to = Pointer(output);
        for (var i = 0; i < rows.Length; i++)
            new Span<float>(from + (long)rows[i] * width, width).CopyTo(new Span<float>(to + (long)i * width, width));
    }
}
