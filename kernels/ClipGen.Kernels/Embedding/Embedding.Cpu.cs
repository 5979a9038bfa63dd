namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IEmbedding
{
    // Rows and columns of the table whose gradients one part adds up.
    private const int EmbeddingRows = 64, EmbeddingColumns = 256;

    /// <inheritdoc/>
    public void Embedding(View<float> table, int tableRows, int width, View<int> indices, View<float> output)
    {
        Arguments.Require(tableRows >= 0 && width >= 0, $"table of {tableRows} rows of {width}");
        Arguments.Length(table, (long)tableRows * width);
        Arguments.Length(output, indices.Length * width);
        var rows = Span(indices);
        CheckIndices(rows, tableRows);
        float* from = Pointer(table), to = Pointer(output);
        for (var i = 0; i < rows.Length; i++)
            new Span<float>(from + (long)rows[i] * width, width).CopyTo(new Span<float>(to + (long)i * width, width));
    }

    /// <inheritdoc/>
    public void EmbeddingBackward(View<int> indices, View<float> outputGradient, int tableRows, int width, View<float> tableGradient)
    {
        Arguments.Require(tableRows >= 0 && width >= 0, $"table of {tableRows} rows of {width}");
        Arguments.Length(outputGradient, indices.Length * width);
        Arguments.Length(tableGradient, (long)tableRows * width);
        var rows = Span(indices);
        CheckIndices(rows, tableRows);

        // 1. The places of each row, in their order: a counting sort. Row v has the places from ends[v - 1] to ends[v], ends[-1] being 0.
        using var memory = Allocate(4L * (tableRows + rows.Length));
        var ends = Pointer(new View<int>(memory, 0, tableRows));
        var places = Pointer(new View<int>(memory, tableRows, rows.Length));
        new Span<int>(ends, tableRows).Clear();
        foreach (var row in rows) ends[row]++;
        var begin = 0;
        for (var v = 0; v < tableRows; v++) (ends[v], begin) = (begin, begin + ends[v]);
        for (var i = 0; i < rows.Length; i++) places[ends[rows[i]]++] = i;

        // 2. Parts of some rows and columns of the table, so that each element is added up by one thread.
        float* dy = Pointer(outputGradient), gradient = Pointer(tableGradient);
        var level = Simd;
        var stripes = (width + EmbeddingColumns - 1) / EmbeddingColumns;
        RunParts(checked((tableRows + EmbeddingRows - 1) / EmbeddingRows * stripes), ((long)tableRows + rows.Length) * width > ParallelPacking, part =>
        {
            int first = part / stripes * EmbeddingRows, column = part % stripes * EmbeddingColumns;
            var columns = Math.Min(EmbeddingColumns, width - column);
            for (var v = first; v < Math.Min(tableRows, first + EmbeddingRows); v++)
            {
                int place = v == 0 ? 0 : ends[v - 1], end = ends[v];
                var sum = gradient + (long)v * width + column;
                var into = new Span<float>(sum, columns);
                if (place == end) into.Clear();
                else new Span<float>(dy + (long)places[place] * width + column, columns).CopyTo(into);
                for (place++; place < end; place++) ElementwiseKernel.Combine<AddPair>(level, sum, dy + (long)places[place] * width + column, columns, sum);
            }
        });
    }

    private static void CheckIndices(ReadOnlySpan<int> rows, int tableRows, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        for (var i = 0; i < rows.Length; i++)
            if ((uint)rows[i] >= (uint)tableRows)
                throw new ArgumentOutOfRangeException("indices", $"{op}: index {rows[i]} at {i} is outside the table of {tableRows} rows");
    }
}
