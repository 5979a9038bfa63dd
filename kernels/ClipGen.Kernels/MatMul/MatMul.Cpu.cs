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

    // Below this many floats the same holds for packing them.
    private const long ParallelPacking = 1 << 14;

    // Rows of A are read in place where they meet fewer columns of B than this. With more, packing is a small part of the product, and a copy is one stream where the rows are several; the
    // limit itself was not searched for.
    private const int ColumnsWorthPacking = 1024;

    // Panels of a transposed operand that are written side by side, row by row of the source.
    private const int PanelsSideBySide = 8;

    /// <inheritdoc/>
    public PackedMatrix AllocatePacked(int n, int k, PackedType type = PackedType.Float32)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var columns = (long)GemmTile.Groups(n) * GemmTile.Columns;
        var memory = Allocate(columns * k * type.ByteSize() + (type == PackedType.Int8 ? columns * sizeof(float) : 0));
        // Columns that pad the last panel are computed and thrown away: zeros keep them finite.
        if (n % GemmTile.Columns != 0)
        {
            var whole = (long)(n / GemmTile.Columns) * GemmTile.Columns * k * type.ByteSize();
            Span(new View<byte>(memory, whole, memory.ByteLength - whole)).Clear();
        }
        return new PackedMatrix(n, k, memory, type);
    }

    /// <inheritdoc/>
    public void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        Arguments.Require(firstRow >= 0 && rowCount >= 0 && firstRow + rowCount <= destination.N, $"rows {firstRow}..{firstRow + rowCount} of a matrix with {destination.N}");
        Arguments.Require(rows.Length >= (long)rowCount * destination.K, $"{rows.Length} floats given for {rowCount} rows of {destination.K}");
        if (destination.Type == PackedType.Float32)
        {
            fixed (float* source = rows) TilePacking.PackBRows(source, destination.K, firstRow, rowCount, destination.K, PanelsOf(destination));
            return;
        }
        for (var row = 0; row < rowCount; row++) PackReduced(rows.Slice(row * destination.K, destination.K), firstRow + row, destination);
    }

    /// <summary>A row into its column of the panels, rounded.</summary>
    private static void PackReduced(ReadOnlySpan<float> row, int n, PackedMatrix destination)
    {
        var k = destination.K;
        var data = (byte*)Pointer(new View<byte>(destination.Memory, 0, destination.Memory.ByteLength));
        var first = (long)(n / GemmTile.PanelColumns) * k * GemmTile.PanelColumns + n % GemmTile.PanelColumns;
        if (destination.Type == PackedType.BFloat16)
        {
            var column = (ushort*)data + first;
            for (var i = 0; i < k; i++) column[(long)i * GemmTile.PanelColumns] = PackedTypes.ToBFloat16(row[i]);
        }
        else
        {
            var factor = FactorsOf(destination)[n] = PackedTypes.Int8Factor(row);
            var column = (sbyte*)data + first;
            for (var i = 0; i < k; i++) column[(long)i * GemmTile.PanelColumns] = PackedTypes.ToInt8(row[i], factor);
        }
    }

    private static float* FactorsOf(PackedMatrix packed)
    {
        var columns = (long)GemmTile.Groups(packed.N) * GemmTile.Columns;
        return Pointer(new View<float>(packed.Memory, columns * packed.K / sizeof(float), columns));
    }

    /// <inheritdoc/>
    public void MatMul(View<float> a, int m, PackedMatrix b, in Epilogue epilogue, View<float> output)
    {
        ArgumentNullException.ThrowIfNull(b);
        Arguments.Require(m >= 0, $"{m} rows of a");
        Arguments.Length(a, (long)m * b.K);
        CheckProduct(m, b.N, epilogue, output);
        if (m == 0 || b.N == 0) return;
        var panels = b.Type == PackedType.Float32 ? PackedPanels.OfFloats(PanelsOf(b), b.K)
            : new PackedPanels(Pointer(new View<byte>(b.Memory, 0, b.Memory.ByteLength)), b.Type, b.K, b.Type == PackedType.Int8 ? FactorsOf(b) : null);
        MultiplyPanels(TilesOf(Pointer(a), m, b.K, transposed: false, b.N), m, b.K, panels, new ProductOutput(epilogue, output, b.N), b.N);
    }

    private static float* PanelsOf(PackedMatrix packed, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(packed.Type == PackedType.Float32, $"an operand of {packed.Type}; only products with few rows take these", op);
        return Pointer(new View<float>(packed.Memory, 0, packed.Memory.ByteLength / 4));
    }

    private static void CheckProduct(int m, int n, in Epilogue epilogue, View<float> output, [System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Length(output, (long)m * n, op: op);
        Arguments.OptionalLength(epilogue.Bias, n, op: op);
        Arguments.OptionalLength(epilogue.Residual, (long)m * n, op: op);
    }

    /// <summary>A as the tiles of a product with <paramref name="n"/> columns. Copies belong to this thread, until it asks for the next, and are only read by the others.</summary>
    private ProductTiles TilesOf(float* a, int m, int k, bool transposed, int n)
    {
        var tileRows = GemmTile.Rows(Simd);
        var inPlace = Variants.MatMul switch { RowsForm.InPlace => true, RowsForm.Packed => false, _ => n < ColumnsWorthPacking };
        var whole = inPlace && !transposed && k > 0 ? m / tileRows : 0;
        var tiles = (m + tileRows - 1) / tileRows;
        var panelFloats = (long)tileRows * k;
        var packed = rowScratch.Floats((tiles - whole) * panelFloats + 16);
        if (transposed) PackAColumns(a, m, m, k, packed, k);
        else RunParts(tiles - whole, tiles - whole >= 2 * Workers.Threads && (long)m * n * k > ParallelWork, tile => PackTile(a, m, k, whole + tile, tileRows, packed + tile * panelFloats));
        return new ProductTiles(a, k, tileRows, whole, packed);
    }

    /// <summary><paramref name="depth"/> rows of M, <paramref name="stride"/> floats apart, into tiles of <paramref name="tileDepth"/> steps.</summary>
    private void PackAColumns(float* source, long stride, int m, int depth, float* packed, int tileDepth)
    {
        var tileRows = GemmTile.Rows(Simd);
        var columnsPerPart = PanelsSideBySide * tileRows;
        var stripes = (m + columnsPerPart - 1) / columnsPerPart;
        var blocks = (depth + GemmTile.BlockK - 1) / GemmTile.BlockK;
        RunParts(stripes * blocks, (long)m * depth > ParallelPacking, part =>
        {
            int column = part % stripes * columnsPerPart, first = part / stripes * GemmTile.BlockK;
            TilePacking.PackAColumns(source + first * stride + column, stride, Math.Min(columnsPerPart, m - column), Math.Min(GemmTile.BlockK, depth - first), tileRows,
                packed + (long)column * tileDepth + (long)first * tileRows, (long)tileRows * tileDepth);
        });
    }

    private void RunParts(int count, bool parallel, Action<int> part)
    {
        if (parallel) Workers.For(count, part);
        else
            for (var i = 0; i < count; i++) part(i);
    }

    /// <summary>Where a product goes: the columns of a row-major matrix from some column on, with what the epilogue reads for them.</summary>
    private readonly struct ProductOutput
    {
        public ProductOutput(in Epilogue epilogue, View<float> output, long stride)
        {
            Bias = Pointer(epilogue.Bias);
            Residual = Pointer(epilogue.Residual);
            Output = Pointer(output);
            Activation = epilogue.Activation;
            Stride = stride;
        }

        /// <summary>The sums as they are, or added to what is there.</summary>
        public static ProductOutput Sums(float* output, long stride, bool accumulate) => new(default, default, stride) { Output = output, Residual = accumulate ? output : null };

        public float* Bias { get; private init; }

        public float* Residual { get; private init; }

        public float* Output { get; private init; }

        public Activation Activation { get; }

        /// <summary>Floats between two rows.</summary>
        public long Stride { get; }

        public ProductOutput From(int column) => this with
        {
            Bias = Bias == null ? null : Bias + column,
            Residual = Residual == null ? null : Residual + column,
            Output = Output + column,
        };

        /// <summary>Asks for what <see cref="Store"/> will read and write: it comes from memory while the sums are computed.</summary>
        public void Fetch(int firstRow, int rows, int column)
        {
            for (var r = firstRow; r < firstRow + rows; r++)
            {
                Fetch(Output + r * Stride + column);
                if (Residual != null && Residual != Output) Fetch(Residual + r * Stride + column);
            }
        }

        // 32 floats are two lines, or touch three.
        private static void Fetch(float* columns)
        {
            GemmTile.Prefetch((byte*)columns);
            GemmTile.Prefetch((byte*)(columns + GemmTile.PanelColumns));
        }

        /// <summary>Moves finished sums to some rows and at most 32 columns.</summary>
        public void Store(SimdLevel level, float* sums, int firstRow, int rows, int column, int columns)
        {
            var at = firstRow * Stride + column;
            EpilogueKernel.Store(level, sums, rows, columns, Bias == null ? null : Bias + column, Activation, Residual == null ? null : Residual + at, Output + at, Stride);
        }
    }

    /// <summary>Tiles of A: the first ones are read where they lie, row-major; the others are copies, [k][tile rows] one after another.</summary>
    /// <param name="rows">A, where tiles are read in place.</param>
    /// <param name="k">Depth, the distance between two rows.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    /// <param name="inPlace">Tiles that are read in place.</param>
    /// <param name="packed">The copies.</param>
    private readonly struct ProductTiles(float* rows, int k, int tileRows, int inPlace, float* packed)
    {
        public static ProductTiles Packed(float* packed, int k, int tileRows) => new(null, k, tileRows, 0, packed);

        /// <summary>A tile, of which so many rows count.</summary>
        public RowTile this[int tile, int count] => tile < inPlace
            ? RowTile.InPlace(rows + (long)tile * tileRows * k, count, k)
            : RowTile.Packed(packed + (long)(tile - inPlace) * tileRows * k, count);
    }

    /// <summary>Tiles of A times all panels of a B with <paramref name="n"/> columns.</summary>
    private void MultiplyPanels(ProductTiles a, int m, int k, PackedPanels panels, ProductOutput output, int n)
    {
        var level = Simd;
        var tileRows = GemmTile.Rows(level);
        var tiles = (m + tileRows - 1) / tileRows;
        var columnGroups = GemmTile.Groups(n);
        var parallel = (long)m * n * k > ParallelWork && Workers.Threads > 1;

        // Parts of (some tiles) x (a slice of B). With many rows a slice is as wide as stays in the last-level cache, and the parts
        // of one slice follow each other, so B comes from memory once; with few rows B is sliced for balance alone.
        // A narrow product has too few groups of columns for all threads: then the passes are made shorter.
        var tilesPerPass = Math.Min(TilesPerPass, tiles);
        while (parallel && tilesPerPass > 1 && (long)(tiles + tilesPerPass - 1) / tilesPerPass * columnGroups < 4 * Workers.Threads) tilesPerPass = (tilesPerPass + 1) / 2;
        var passes = (tiles + tilesPerPass - 1) / tilesPerPass;
        var perSlice = columnGroups;
        if (parallel) perSlice = Math.Max(1, columnGroups * passes / (8 * Workers.Threads));
        if (passes > 1) perSlice = (int)Math.Clamp(PanelFloats / (GemmTile.Columns * Math.Max(1L, k)), 1, perSlice);
        perSlice = Math.Min(perSlice, columnGroups);
        var slices = (columnGroups + perSlice - 1) / perSlice;
        Workers.For(checked(passes * slices), part =>
        {
            int pass = part % passes, slice = part / passes;
            var firstTile = pass * tilesPerPass;
            var firstRow = firstTile * tileRows;
            var rows = Math.Min(m - firstRow, tilesPerPass * tileRows);
            Span<RowTile> passTiles = stackalloc RowTile[(rows + tileRows - 1) / tileRows];
            for (var t = 0; t < passTiles.Length; t++) passTiles[t] = a[firstTile + t, Math.Min(tileRows, rows - t * tileRows)];
            var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns + PackedPanels.BlockFloats);
            var block = sums + TilesPerPass * GemmTile.MaxRows * GemmTile.Columns;
            for (var group = slice * perSlice; group < Math.Min(columnGroups, (slice + 1) * perSlice); group++)
            {
                var column = group * GemmTile.Columns;
                var columns = Math.Min(GemmTile.Columns, n - column);
                output.Fetch(firstRow, rows, column);
                panels.Multiply(level, passTiles, column, columns, block, sums);
                output.Store(level, sums, firstRow, rows, column, columns);
            }
        });
    }

    private static void PackTile(float* x, int m, int k, int tile, int tileRows, float* panel)
    {
        var rows = stackalloc float*[GemmTile.MaxRows];
        var first = tile * tileRows;
        var count = Math.Min(tileRows, m - first);
        for (var r = 0; r < count; r++) rows[r] = x + (long)(first + r) * k;
        TilePacking.PackA(rows, count, k, tileRows, panel);
    }
}
