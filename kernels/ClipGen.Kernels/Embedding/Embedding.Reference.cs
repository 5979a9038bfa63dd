namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IEmbedding
{
    /// <inheritdoc/>
    public void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output)
    {
        Reals y = Real(output), entries = Real(table);
        var rows = Span(indices);
        for (var i = 0; i < rows.Length; i++)
        {
            if (rows[i] < 0 || rows[i] >= tableRows) throw new ArgumentOutOfRangeException(nameof(indices), $"Embedding: index {rows[i]} at {i} is outside the table of {tableRows} rows");
            for (var c = 0; c < width; c++) y[(long)i * width + c] = entries[(long)rows[i] * width + c];
        }
    }
}
