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

    /// <inheritdoc/>
    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient)
    {
        Reals dy = Real(outputGradient), gradient = Real(tableGradient);
        var rows = Span(indices);
        for (var i = 0; i < rows.Length; i++)
            if (rows[i] < 0 || rows[i] >= tableRows) throw new ArgumentOutOfRangeException(nameof(indices), $"EmbeddingBackward: index {rows[i]} at {i} is outside the table of {tableRows} rows");
        for (var v = 0; v < tableRows; v++)
            for (var c = 0; c < width; c++)
            {
                var sum = 0.0;
                for (var i = 0; i < rows.Length; i++)
                    if (rows[i] == v) sum += dy[(long)i * width + c];
                gradient[(long)v * width + c] = sum;
            }
    }
}
