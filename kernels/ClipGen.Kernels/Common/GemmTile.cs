using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ClipGen.Kernels;

/// <summary>
/// The register-blocked core that matrix products, convolutions, attention and the code search share: a tile of up to
/// <see cref="Rows"/> rows times 32 columns. Both operands lie in panels: A as [k][Rows], B as two neighbouring panels [k][16]. Each result is one chain of
/// multiply-adds in the order of k inside a block of <see cref="BlockK"/>, and the sum of its blocks in order, whatever the tile
/// it falls in; so results do not depend on how rows are grouped.
/// </summary>
internal static unsafe class GemmTile
{
    /// <summary>Columns that are computed together at every SIMD level, and to a multiple of which B is padded.</summary>
    public const int Columns = 32;

    /// <summary>Columns of a panel of B: one cache line for each step of k, so that a panel is read as one stream.</summary>
    public const int PanelColumns = 16;

    /// <summary>Depth of a block of K: that much of a panel of B is 16 KiB, half a first-level cache, and is used by several tiles while it is there.</summary>
    public const int BlockK = 256;

    /// <summary>Rows of the tallest tile of any level.</summary>
    public const int MaxRows = 12;

    /// <summary>Rows of a panel of A: 12 with 32 vector registers, 6 and 4 with 16.</summary>
    public static int Rows(SimdLevel level) => level switch
    {
        SimdLevel.Avx512 => 12,
        SimdLevel.Avx2 => 6,
        _ => 4,
    };

    /// <summary>Groups of <see cref="Columns"/> that hold <paramref name="n"/> columns.</summary>
    public static int Groups(int n) => (n + Columns - 1) / Columns;

    /// <summary>Columns that one call of the tile computes: 32, 16 or 8 of a panel's 32.</summary>
    private static int Width(SimdLevel level) => level switch
    {
        SimdLevel.Avx512 => GemmTile512.Width,
        SimdLevel.Avx2 => GemmTile256.Width,
        _ => GemmTile128.Width,
    };

    /// <summary>
    /// Several tiles of A (each a panel of k x Rows, one after another, <paramref name="rows"/> rows in all) times the first
    /// <paramref name="columns"/> columns of one group of B, into <paramref name="sums"/>: tile after tile of [Rows][32].
    /// A block of B that fits the first-level cache is used by all tiles before the next is touched. Sums of further columns are undefined.
    /// </summary>
    /// <param name="level">Instruction set.</param>
    /// <param name="aTiles">A.</param>
    /// <param name="rows">Rows of A.</param>
    /// <param name="k">Depth of the product.</param>
    /// <param name="bGroup">Two neighbouring panels of B.</param>
    /// <param name="panelDepth">Depth that the panels of B were packed with; at least k.</param>
    /// <param name="columns">Columns that are wanted.</param>
    /// <param name="sums">Results.</param>
    public static void MultiplyTiles(SimdLevel level, float* aTiles, int rows, int k, float* bGroup, int panelDepth, int columns, float* sums)
    {
        var tileRows = Rows(level);
        var tiles = (rows + tileRows - 1) / tileRows;
        if (k == 0) new Span<float>(sums, tiles * tileRows * Columns).Clear();
        var width = Width(level);
        var panelFloats = (long)panelDepth * PanelColumns;
        // While a block of B is used, the one that comes next is fetched, evenly over all calls of the tile: with few rows
        // a product is bound by memory, which must not rest while a block is used a second time.
        var aheadStep = Math.Max(1, PanelColumns * sizeof(float) / tiles);
        for (var block = 0; block < k; block += BlockK)
        {
            var depth = Math.Min(BlockK, k - block);
            for (var column = 0; column < columns; column += width)
            {
                var b = bGroup + column / PanelColumns * panelFloats + (long)block * PanelColumns + column % PanelColumns;
                var ahead = (byte*)Next(bGroup, panelFloats, block, depth, k, column, width, columns);
                for (var tile = 0; tile < tiles; tile++)
                {
                    Packed(level, aTiles + ((long)tile * k + block) * tileRows, b, panelFloats, depth,
                        Math.Min(tileRows, rows - tile * tileRows), sums + tile * tileRows * Columns + column, block > 0, ahead, aheadStep);
                    ahead += depth * aheadStep;
                }
            }
        }
    }

    /// <summary>
    /// The same where tiles need not be panels: a tile that lies in memory as rows, evenly spaced, is read in place. For a product there is one run, all of k. For a convolution
    /// k runs over the rows of the filter and, in each, over columns and channels: a run of <paramref name="run"/> floats that is contiguous in the picture too, and
    /// <paramref name="rowOffsets"/> are the distances from a patch's first pixel to the begin of each. Blocks of k end at the end of a run.
    /// </summary>
    public static void MultiplyRows(SimdLevel level, ReadOnlySpan<RowTile> tiles, ReadOnlySpan<long> rowOffsets, int run, float* bGroup, int columns, float* sums)
    {
        var tileRows = Rows(level);
        var width = Width(level);
        var depthOfAll = rowOffsets.Length * run;
        if (depthOfAll == 0) new Span<float>(sums, tiles.Length * tileRows * Columns).Clear();
        var panelFloats = (long)depthOfAll * PanelColumns;
        var aheadStep = Math.Max(1, PanelColumns * sizeof(float) / tiles.Length);
        for (var row = 0; row < rowOffsets.Length; row++)
            for (var block = 0; block < run; block += BlockK)
            {
                var depth = Math.Min(BlockK, run - block);
                var at = row * run + block;
                for (var column = 0; column < columns; column += width)
                {
                    var b = bGroup + column / PanelColumns * panelFloats + (long)at * PanelColumns + column % PanelColumns;
                    var ahead = (byte*)Next(bGroup, panelFloats, at, depth, depthOfAll, column, width, columns);
                    for (var t = 0; t < tiles.Length; t++)
                    {
                        Multiply(level, tiles[t], at, rowOffsets[row] + block, b, panelFloats, depth, sums + t * tileRows * Columns + column, at > 0, ahead, aheadStep);
                        ahead += depth * aheadStep;
                    }
                }
            }
    }

    /// <summary>
    /// Tiles of A, each to a depth of its own, times the first <paramref name="columns"/> columns of one group of B: what lies behind a tile's depth is zero in A, as under a causal mask. The chains of
    /// <see cref="MultiplyRows"/>, and the same places of the sums.
    /// </summary>
    /// <param name="level">Instruction set.</param>
    /// <param name="tiles">A.</param>
    /// <param name="depths">Depth of each, at least 1.</param>
    /// <param name="bGroup">Two neighbouring panels of B.</param>
    /// <param name="panelDepth">Depth that the panels of B were packed with; at least every tile's.</param>
    /// <param name="columns">Columns that are wanted.</param>
    /// <param name="sums">Results.</param>
    public static void MultiplyDepths(SimdLevel level, ReadOnlySpan<RowTile> tiles, ReadOnlySpan<int> depths, float* bGroup, int panelDepth, int columns, float* sums)
    {
        int tileRows = Rows(level), width = Width(level), deepest = 0;
        foreach (var depth in depths) deepest = Math.Max(deepest, depth);
        var panelFloats = (long)panelDepth * PanelColumns;
        var aheadStep = Math.Max(1, PanelColumns * sizeof(float) / tiles.Length);
        for (var block = 0; block < deepest; block += BlockK)
            for (var column = 0; column < columns; column += width)
            {
                var b = bGroup + column / PanelColumns * panelFloats + (long)block * PanelColumns + column % PanelColumns;
                var ahead = (byte*)Next(bGroup, panelFloats, block, Math.Min(BlockK, deepest - block), deepest, column, width, columns);
                for (var t = 0; t < tiles.Length; t++)
                {
                    var depth = Math.Min(BlockK, depths[t] - block);
                    if (depth <= 0) continue;
                    Multiply(level, tiles[t], block, block, b, panelFloats, depth, sums + t * tileRows * Columns + column, block > 0, ahead, aheadStep);
                    ahead += depth * aheadStep;
                }
            }
    }

    /// <summary>
    /// Tiles of A from step <paramref name="first"/> on times <paramref name="depth"/> steps of B, at the same place of the sums as <see cref="MultiplyRows"/> has them; added to what is there but for the first steps. Both begin at a multiple of <see cref="BlockK"/>: the chains are those of
    /// <see cref="MultiplyRows"/>.
    /// </summary>
    public static void MultiplyChunk(SimdLevel level, ReadOnlySpan<RowTile> tiles, int first, int depth, float* bGroup, long panelFloats, int columns, float* sums)
    {
        for (var block = 0; block < depth; block += BlockK)
        {
            var steps = Math.Min(BlockK, depth - block);
            var next = (byte*)(bGroup + (long)(block + steps) * PanelColumns);
            MultiplyBlock(level, tiles, first + block, steps, bGroup + (long)block * PanelColumns, panelFloats, columns, sums, next, Math.Max(1, PanelColumns * sizeof(float) / tiles.Length));
        }
    }

    /// <summary>
    /// Tiles of A from step <paramref name="first"/> on times one block of B, two panels of floats <paramref name="panelFloats"/> apart, at the same place of the sums as <see cref="MultiplyRows"/> has them; added to what is there but for the first block.
    /// </summary>
    public static void MultiplyBlock(SimdLevel level, ReadOnlySpan<RowTile> tiles, int first, int depth, float* b, long panelFloats, int columns, float* sums, byte* ahead, int aheadStep)
    {
        var tileRows = Rows(level);
        for (var column = 0; column < columns; column += Width(level))
        {
            var from = b + column / PanelColumns * panelFloats + column % PanelColumns;
            for (var t = 0; t < tiles.Length; t++)
            {
                Multiply(level, tiles[t], first, first, from, panelFloats, depth, sums + t * tileRows * Columns + column, first > 0, ahead, aheadStep);
                ahead += depth * aheadStep;
            }
        }
    }

    /// <summary>A tile of either kind, from a step of k on: a panel has that step, rows have it <paramref name="offset"/> floats from their begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(SimdLevel level, in RowTile tile, int step, long offset, float* b, long panelFloats, int depth, float* c, bool accumulate, byte* ahead, int aheadStep)
    {
        if (tile.IsPacked) Packed(level, tile.Data + (long)step * Rows(level), b, panelFloats, depth, tile.Rows, c, accumulate, ahead, aheadStep);
        else Strided(level, tile.Data + offset, tile.Stride, b, panelFloats, depth, c, accumulate, ahead, aheadStep);
    }

    /// <summary>What is multiplied after a block: its neighbour in the next panel, the next block of the first panel, or the next group.</summary>
    private static float* Next(float* bGroup, long panelFloats, int block, int depth, int k, int column, int width, int columns)
    {
        if (width < PanelColumns && column % PanelColumns == 0) return bGroup + column / PanelColumns * panelFloats + (long)block * PanelColumns;
        if (column + width < columns) return bGroup + (column + width) / PanelColumns * panelFloats + (long)block * PanelColumns;
        return block + depth < k ? bGroup + (long)(block + depth) * PanelColumns : bGroup + 2 * panelFloats;
    }

    /// <summary>
    /// One tile and one stretch of columns: <c>c = (accumulate ? c : 0) + A·B</c> over at most <see cref="BlockK"/> steps of k. Panel rows from
    /// <paramref name="rows"/> on are read but not stored. The second panel of B lies <paramref name="panelFloats"/> behind the first.
    /// With each step of k the cache line at <paramref name="ahead"/> is fetched, which then moves on.
    /// </summary>
    private static void Packed(SimdLevel level, float* aPanel, float* b, long panelFloats, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) =>
        Packed<FloatPanel>(level, aPanel, (byte*)b, panelFloats * sizeof(float), depth, rows, c, accumulate, ahead, aheadStep);

    /// <summary>The same with numbers of any type in the panels of B.</summary>
    private static void Packed<L>(SimdLevel level, float* aPanel, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep)
        where L : struct, IPanelLoad<Vector128<float>>, IPanelLoad<Vector256<float>>, IPanelLoad<Vector512<float>>
    {
        if (level == SimdLevel.Avx512) GemmTile512.Multiply<L>(aPanel, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
        else if (level == SimdLevel.Avx2) GemmTile256.Multiply<L>(aPanel, b, depth, rows, c, accumulate, ahead, aheadStep);
        else GemmTile128.Multiply<L>(aPanel, b, depth, rows, c, accumulate, ahead, aheadStep);
    }

    /// <summary>
    /// Packed tiles times up to 32 columns of panels whose numbers are widened on the way to the registers: for so few tiles that widening them beforehand costs more. Chains and blocks are those of <see cref="MultiplyRows"/>.
    /// </summary>
    public static void MultiplyPacked<L>(SimdLevel level, ReadOnlySpan<RowTile> tiles, int k, byte* bGroup, int columns, float* sums)
        where L : struct, IPanelLoad<Vector128<float>>, IPanelLoad<Vector256<float>>, IPanelLoad<Vector512<float>>
    {
        int step = StepOf<L, Vector128<float>>(), tileRows = Rows(level), width = Width(level);
        var panelBytes = (long)k * step;
        for (var block = 0; block < k; block += BlockK)
        {
            var depth = Math.Min(BlockK, k - block);
            for (var column = 0; column < columns; column += width)
            {
                var b = bGroup + column / PanelColumns * panelBytes + (long)block * step + column % PanelColumns * (step / PanelColumns);
                for (var t = 0; t < tiles.Length; t++)
                    // What is fetched is the block after the next.
                    Packed<L>(level, tiles[t].Data + (long)block * tileRows, b, panelBytes, depth, tiles[t].Rows, sums + t * tileRows * Columns + column, block > 0, b + 2L * depth * step, step);
            }
        }
    }

    private static int StepOf<L, V>() where L : struct, IPanelLoad<V> where V : struct => L.Step;

    private static void Strided(SimdLevel level, float* a, long aStride, float* b, long panelFloats, int depth, float* c, bool accumulate, byte* ahead, int aheadStep)
    {
        if (level == SimdLevel.Avx512) GemmTile512.Strided(a, aStride, b, panelFloats, depth, c, accumulate, ahead, aheadStep);
        else if (level == SimdLevel.Avx2) GemmTile256.Strided(a, aStride, b, depth, c, accumulate, ahead, aheadStep);
        else GemmTile128.Strided(a, aStride, b, depth, c, accumulate, ahead, aheadStep);
    }

    /// <summary>Asks for the cache line at an address, into the second-level cache; an address that is not there is no error.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Prefetch(byte* address)
    {
        if (Sse.IsSupported) Sse.Prefetch1(address);
    }
}

/// <summary>Rows of A that share a register tile: of a matrix, or patches of a picture.</summary>
internal readonly unsafe struct RowTile
{
    private RowTile(float* data, int rows, long stride)
    {
        Data = data;
        Rows = rows;
        Stride = stride;
    }

    /// <summary>Rows copied into a panel [k][tile rows].</summary>
    public static RowTile Packed(float* panel, int rows) => new(panel, rows, 0);

    /// <summary>As many rows as a tile has, where they lie: the first one, and the distance to the next. Patches that lie wholly inside the picture are such rows.</summary>
    public static RowTile InPlace(float* first, int rows, long stride) => new(first, rows, stride);

    /// <summary>The panel, or the first row.</summary>
    public float* Data { get; }

    /// <summary>Rows that count.</summary>
    public int Rows { get; }

    /// <summary>Floats between two rows; 0 for a panel.</summary>
    public long Stride { get; }

    /// <summary>Whether the rows were copied.</summary>
    public bool IsPacked => Stride == 0;
}
