namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IMatMul
{
    // Rows of A that share a pass over a panel of B: 8 tiles keep their sums (12 KiB) in the first-level cache
    // and use each 32 KiB block of B eight times while it is near.
    private const int TilesPerPass = 8;

    // Part of B, in floats, that several passes over A use while it is near: 4 MiB of the last-level cache. A slice that fits the second
    // level would make A, packed, come from memory once for each of many more slices.
    private const int PanelFloats = 1024 << 10;

    // Below this many multiply-adds a fork-join (a few microseconds) costs more than the second core saves.
    private const long ParallelWork = 1 << 17;

    /// <inheritdoc/>
    public PackedMatrix AllocatePacked(int n, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var memory = Allocate(4L * GemmTile.Groups(n) * GemmTile.Columns * k);
        // Columns that pad the last panel are computed and thrown away: zeros keep them finite.
        if (n % GemmTile.Columns != 0 && k > 0)
            Span(new View<float>(memory, (long)(n / GemmTile.Columns) * GemmTile.Columns * k, (long)GemmTile.Columns * k)).Clear();
        return new PackedMatrix(n, k, memory);
    }

    /// <inheritdoc/>
    public void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        Arguments.Require(firstRow >= 0 && rowCount >= 0 && firstRow + rowCount <= destination.N, $"rows {firstRow}..{firstRow + rowCount} of a matrix with {destination.N}");
        Arguments.Require(rows.Length >= (long)rowCount * destination.K, $"{rows.Length} floats given for {rowCount} rows of {destination.K}");
        var panels = Pointer(new View<float>(destination.Memory, 0, destination.Memory.ByteLength / 4));
        fixed (float* source = rows) PackB(source, firstRow, rowCount, destination.K, panels);
    }

    /// <inheritdoc/>
    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output)
    {
        ArgumentNullException.ThrowIfNull(b);
        Multiply(a, m, b.N, b.K, Pointer(new View<float>(b.Memory, 0, b.Memory.ByteLength / 4)), epilogue, output);
    }

    /// <inheritdoc/>
    public void MatMul(View<float> a, View<float> b, int m, int n, int k, in Epilogue epilogue, View<float> output)
    {
        Arguments.Length(b, (long)n * k);
        using var packed = AllocatePacked(n, k);
        var panels = Pointer(new View<float>(packed.Memory, 0, packed.Memory.ByteLength / 4));
        var source = Pointer(b);
        const int rowsPerPart = 4 * GemmTile.Columns;
        Workers.For((n + rowsPerPart - 1) / rowsPerPart, part =>
        {
            var first = part * rowsPerPart;
            PackB(source + (long)first * k, first, Math.Min(rowsPerPart, n - first), k, panels);
        });
        Multiply(a, m, n, k, panels, epilogue, output);
    }

    private static void PackB(float* source, int firstRow, int rowCount, int k, float* panels)
    {
        var row = 0;
        while (row < rowCount)
        {
            var n = firstRow + row;
            var from = source + (long)row * k;
            if (n % 4 == 0 && row + 4 <= rowCount)
            {
                TilePacking.PackBRows4(from, from + k, from + 2L * k, from + 3L * k, n, k, panels);
                row += 4;
            }
            else
            {
                TilePacking.PackBRow(from, n, k, panels);
                row++;
            }
        }
    }

    private void Multiply(View<float> a, int m, int n, int k, float* panels, in Epilogue epilogue, View<float> output)
    {
        // By the contract's name: messages of this private method would speak of "Multiply", which is another op.
        const string op = nameof(MatMul);
        Arguments.Require(m >= 0, $"{m} rows of a", op);
        Arguments.Length(a, (long)m * k, op: op);
        Arguments.Length(output, (long)m * n, op: op);
        Arguments.OptionalLength(epilogue.Bias, n, op: op);
        Arguments.OptionalLength(epilogue.Residual, (long)m * n, op: op);
        if (m == 0 || n == 0) return;

        var level = Simd;
        var tileRows = GemmTile.Rows(level);
        var tiles = (m + tileRows - 1) / tileRows;
        float* x = Pointer(a), y = Pointer(output), bias = Pointer(epilogue.Bias), residual = Pointer(epilogue.Residual);
        var activation = epilogue.Activation;

        // 1. A into panels, once for all columns. The block belongs to this thread and is only read by the others.
        var packed = rowScratch.Floats((long)tiles * tileRows * k + 16);
        var work = (long)m * n * k;
        if (tiles >= 2 * Workers.Threads && work > ParallelWork) Workers.For(tiles, tile => PackTile(x, m, k, tile, tileRows, packed));
        else
            for (var tile = 0; tile < tiles; tile++) PackTile(x, m, k, tile, tileRows, packed);

        // 2. Parts of (some tiles) x (a slice of B). With many rows a slice is as wide as stays in the last-level cache, and the parts
        // of one slice follow each other, so B comes from memory once; with few rows B is sliced for balance alone.
        var columnGroups = GemmTile.Groups(n);
        var passes = (tiles + TilesPerPass - 1) / TilesPerPass;
        var perSlice = columnGroups;
        if (work > ParallelWork && Workers.Threads > 1) perSlice = Math.Max(1, columnGroups * passes / (8 * Workers.Threads));
        if (passes > 1) perSlice = (int)Math.Clamp(PanelFloats / (GemmTile.Columns * (long)k), 1, perSlice);
        perSlice = Math.Min(perSlice, columnGroups);
        var slices = (columnGroups + perSlice - 1) / perSlice;
        Workers.For(checked(passes * slices), part =>
        {
            int pass = part % passes, slice = part / passes;
            var firstTile = pass * TilesPerPass;
            var firstRow = firstTile * tileRows;
            var rows = Math.Min(m - firstRow, TilesPerPass * tileRows);
            var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
            for (var group = slice * perSlice; group < Math.Min(columnGroups, (slice + 1) * perSlice); group++)
            {
                var column = group * GemmTile.Columns;
                var columns = Math.Min(GemmTile.Columns, n - column);
                GemmTile.MultiplyTiles(level, packed + (long)firstTile * tileRows * k, rows, k, panels + (long)column * k, k, columns, sums);
                EpilogueKernel.Store(level, sums, rows, columns, bias == null ? null : bias + column, activation,
                    residual == null ? null : residual + (long)firstRow * n + column, y + (long)firstRow * n + column, n);
            }
        });
    }

    private static void PackTile(float* x, int m, int k, int tile, int tileRows, float* packed)
    {
        var rows = stackalloc float*[GemmTile.MaxRows];
        var first = tile * tileRows;
        var count = Math.Min(tileRows, m - first);
        for (var r = 0; r < count; r++) rows[r] = x + (long)(first + r) * k;
        TilePacking.PackA(rows, count, k, tileRows, packed + (long)tile * tileRows * k);
    }
}
