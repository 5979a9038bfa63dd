namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend
{
    // Depth to which a part packs columns of B at a time. Four groups of columns are 512 KiB then, and as many steps of 256 rows of A 1 MiB: both fit a second-level cache of 2 MiB.
    private const int ChunkDepth = 4 * GemmTile.BlockK;

    private const int GroupsPerPart = 4;

    /// <inheritdoc/>
    public void MatMulPlain(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        Arguments.Require(m >= 0 && n >= 0 && k >= 0, $"illegal sizes: {m}x{n}x{k}");
        Arguments.Length(a, (long)m * k);
        Arguments.Length(b, (long)n * k);
        CheckProduct(m, n, epilogue, output);
        if (m == 0 || n == 0) return;

        var target = new ProductOutput(epilogue, output, n);
        if ((long)m * n * k <= ParallelWork || n < m)
        {
            MultiplySlices(shape, Pointer(a), Pointer(b), target);
            return;
        }
        var source = Pointer(b);
        var transposed = shape.TransposeB;
        MultiplyChunks(TilesOf(Pointer(a), m, k, shape.TransposeA, n), m, n, k, target, (column, columns, first, depth, panels) =>
        {
            if (transposed) TilePacking.PackBColumns(source + (long)first * n + column, n, columns, depth, panels, (long)depth * GemmTile.PanelColumns);
            else TilePacking.PackBRows(source + (long)column * k + first, k, 0, columns, depth, panels);
        });
    }

    /// <summary>Writes columns of B, from a multiple of 32 on, into panels of <paramref name="depth"/> steps; columns that pad the last group of 32 are zeros already.</summary>
    private delegate void PackChunk(int column, int columns, int first, int depth, float* panels);

    /// <summary>A wide product: each part packs its own columns of B, a chunk of their depth at a time, and multiplies all of A by it before it packs the next.</summary>
    private void MultiplyChunks(ProductTiles a, int m, int n, int k, ProductOutput output, PackChunk pack)
    {
        var level = Simd;
        int tileRows = GemmTile.Rows(level), tiles = (m + tileRows - 1) / tileRows, groups = GemmTile.Groups(n), perPart = GroupsOfPart(groups);
        var groupSums = (long)tiles * tileRows * GemmTile.Columns;
        Workers.For((groups + perPart - 1) / perPart, part =>
        {
            int firstColumn = part * perPart * GemmTile.Columns, columns = Math.Min(perPart * GemmTile.Columns, n - firstColumn), ownGroups = GemmTile.Groups(columns);
            var sums = sumScratch.Floats(ownGroups * groupSums + (long)ownGroups * GemmTile.Columns * Math.Min(k, ChunkDepth));
            var panels = sums + ownGroups * groupSums;
            Span<RowTile> pass = stackalloc RowTile[TilesPerPass];
            for (var first = 0; first < k; first += ChunkDepth)
            {
                var depth = Math.Min(ChunkDepth, k - first);
                var panelFloats = (long)depth * GemmTile.PanelColumns;
                if (columns % GemmTile.Columns != 0) TilePacking.ClearBPanels(2, depth, panels + (ownGroups - 1) * 2 * panelFloats, panelFloats);
                pack(firstColumn, columns, first, depth, panels);
                for (var tile = 0; tile < tiles; tile += TilesPerPass)
                {
                    var passTiles = pass[..Math.Min(TilesPerPass, tiles - tile)];
                    int firstRow = tile * tileRows, rows = Math.Min(m - firstRow, passTiles.Length * tileRows);
                    for (var t = 0; t < passTiles.Length; t++) passTiles[t] = a[tile + t, Math.Min(tileRows, rows - t * tileRows)];
                    for (var group = 0; group < ownGroups; group++)
                    {
                        int column = firstColumn + group * GemmTile.Columns, groupColumns = Math.Min(GemmTile.Columns, n - column);
                        var to = sums + group * groupSums + (long)firstRow * GemmTile.Columns;
                        var last = first + depth == k;
                        if (last) output.Fetch(firstRow, rows, column);
                        GemmTile.MultiplyChunk(level, passTiles, first, depth, panels + group * 2 * panelFloats, panelFloats, groupColumns, to);
                        if (last) output.Store(level, to, firstRow, rows, column, groupColumns);
                    }
                }
            }
        });
    }

    /// <summary>Groups of columns for a part: as many as share a chunk, unless that leaves threads idle at the end for a twentieth longer than single ones would.</summary>
    private int GroupsOfPart(int groups)
    {
        var perPart = GroupsPerPart;
        while (perPart > 1 && 20 * Longest(perPart) > 21 * Longest(1)) perPart /= 2;
        return perPart;

        // What the busiest thread computes.
        int Longest(int per) => ((groups + per - 1) / per + Workers.Threads - 1) / Workers.Threads * per;
    }

    /// <summary>Any product: all of B packed, a slice of columns at a time.</summary>
    private void MultiplySlices(in MatMulShape shape, float* left, float* right, ProductOutput output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        var tiles = TilesOf(left, m, k, shape.TransposeA, n);
        // B is packed a slice of columns at a time, each of which is used up while it is in the last-level cache: it never goes back to memory.
        var groups = GemmTile.Groups(n);
        var perSlice = (int)Math.Clamp(PanelFloats / (GemmTile.Columns * Math.Max(1L, k)), 1, groups);
        using var memory = Allocate(4L * perSlice * GemmTile.Columns * k);
        var panels = Pointer(new View<float>(memory, 0, memory.ByteLength / 4));
        for (var group = 0; group < groups; group += perSlice)
        {
            var column = group * GemmTile.Columns;
            var columns = Math.Min(perSlice * GemmTile.Columns, n - column);
            if (shape.TransposeB) PackPlainColumns(right + column, n, columns, k, panels);
            else PackPlainRows(right + (long)column * k, columns, k, panels);
            MultiplyPanels(tiles, m, k, PackedPanels.OfFloats(panels, k), output.From(column), columns);
        }
    }

    /// <summary>Packs <paramref name="n"/> rows of K, all that there are, with the padding of the last group.</summary>
    private void PackPlainRows(float* source, int n, int k, float* panels)
    {
        ClearPadding(n, k, panels);
        const int rowsPerPart = 4 * GemmTile.Columns;
        RunParts((n + rowsPerPart - 1) / rowsPerPart, (long)n * k > ParallelPacking, part =>
        {
            var first = part * rowsPerPart;
            TilePacking.PackBRows(source + (long)first * k, k, first, Math.Min(rowsPerPart, n - first), k, panels);
        });
    }

    /// <summary>Packs the same operand from memory that holds it transposed: K rows, <paramref name="stride"/> floats apart, of N.</summary>
    private void PackPlainColumns(float* source, long stride, int n, int k, float* panels)
    {
        ClearPadding(n, k, panels);
        const int columnsPerPart = PanelsSideBySide * GemmTile.PanelColumns;
        var stripes = (n + columnsPerPart - 1) / columnsPerPart;
        var blocks = (k + GemmTile.BlockK - 1) / GemmTile.BlockK;
        RunParts(stripes * blocks, (long)n * k > ParallelPacking, part =>
        {
            int column = part % stripes * columnsPerPart, first = part / stripes * GemmTile.BlockK;
            TilePacking.PackBColumns(source + first * stride + column, stride, Math.Min(columnsPerPart, n - column), Math.Min(GemmTile.BlockK, k - first),
                panels + (long)column * k + (long)first * GemmTile.PanelColumns, (long)k * GemmTile.PanelColumns);
        });
    }

    // Columns that pad the last group are computed and thrown away: zeros keep them finite.
    private static void ClearPadding(int n, int k, float* panels)
    {
        if (n % GemmTile.Columns != 0) TilePacking.ClearBPanels(2, k, panels + (long)(n / GemmTile.Columns) * GemmTile.Columns * k, (long)k * GemmTile.PanelColumns);
    }
}
