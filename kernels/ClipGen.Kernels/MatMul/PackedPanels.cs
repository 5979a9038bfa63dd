using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Panels of B, [k][16], in any of the types: floats are multiplied where they lie, others become floats on the way to the registers where rows are few, else a block at a time, in the first-level cache.</summary>
/// <param name="data">First panel.</param>
/// <param name="type">Type of its numbers.</param>
/// <param name="k">Depth of a panel.</param>
/// <param name="factors">Factor per column, for whole numbers.</param>
internal readonly unsafe struct PackedPanels(void* data, PackedType type, int k, float* factors)
{
    /// <summary>Floats of a block that is widened: two panels, for the widest tile.</summary>
    public const int BlockFloats = 2 * GemmTile.BlockK * GemmTile.PanelColumns;

    // Tiles that are each widened for by themselves. With more, a block is widened once for all.
    private const int MostTilesToWidenFor = 2;

    /// <summary>Panels of floats.</summary>
    public static PackedPanels OfFloats(float* panels, int k) => new(panels, PackedType.Float32, k, null);

    /// <summary>
    /// Tiles of A times up to 32 columns from <paramref name="column"/> on (a multiple of 32): <see cref="GemmTile.MultiplyRows"/> on the numbers that the panels stand for, with the same bits.
    /// </summary>
    public void Multiply(SimdLevel level, ReadOnlySpan<RowTile> tiles, int column, int columns, float* block, float* sums)
    {
        if (type == PackedType.Float32)
        {
            GemmTile.MultiplyRows(level, tiles, [0L], k, (float*)data + (long)column * k, columns, sums);
            return;
        }
        var tileRows = GemmTile.Rows(level);
        var size = type.ByteSize();
        if (k == 0) new Span<float>(sums, tiles.Length * tileRows * GemmTile.Columns).Clear();
        if (tiles.Length <= MostTilesToWidenFor && tiles[0].IsPacked && tiles[^1].IsPacked)
        {
            var group = (byte*)data + (long)column * k * size;
            if (type == PackedType.BFloat16) GemmTile.MultiplyPacked<BFloat16Panel>(level, tiles, k, group, columns, sums);
            else GemmTile.MultiplyPacked<Int8Panel>(level, tiles, k, group, columns, sums);
        }
        else MultiplyWidened(level, tiles, column, columns, block, sums);
        // The factor of a column comes last: it belongs to all of its numbers.
        if (type != PackedType.Int8) return;
        for (var row = 0; row < (tiles.Length - 1) * tileRows + tiles[^1].Rows; row++)
            for (var j = 0; j < GemmTile.Columns; j += 4) (Vector128.Load(sums + row * GemmTile.Columns + j) * Vector128.Load(factors + column + j)).Store(sums + row * GemmTile.Columns + j);
    }

    /// <summary>Several tiles: a block of a panel becomes floats once and is used by all of them.</summary>
    private void MultiplyWidened(SimdLevel level, ReadOnlySpan<RowTile> tiles, int column, int columns, float* block, float* sums)
    {
        var size = type.ByteSize();
        var panelBytes = (long)k * GemmTile.PanelColumns * size;
        var together = level == SimdLevel.Avx512 ? 2 : 1;
        for (var first = 0; first < k; first += GemmTile.BlockK)
        {
            var depth = Math.Min(GemmTile.BlockK, k - first);
            for (var from = 0; from < columns; from += together * GemmTile.PanelColumns)
            {
                for (var panel = 0; panel < together; panel++)
                {
                    var at = column + from + panel * GemmTile.PanelColumns;
                    var source = (byte*)data + at / GemmTile.PanelColumns * panelBytes + (long)first * GemmTile.PanelColumns * size;
                    if (type == PackedType.BFloat16) Widen<BFloat16Panel>(source, depth, block + panel * (BlockFloats / 2));
                    else Widen<Int8Panel>(source, depth, block + panel * (BlockFloats / 2));
                }
                // What is widened next: the rest of the panels, then the next ones.
                var next = (byte*)data + (column + from) / GemmTile.PanelColumns * panelBytes + (long)(first + depth) * GemmTile.PanelColumns * size;
                GemmTile.MultiplyBlock(level, tiles, first, depth, block, BlockFloats / 2, Math.Min(together * GemmTile.PanelColumns, columns - from), sums + from, next, Math.Max(1, GemmTile.PanelColumns * size / tiles.Length));
            }
        }
    }

    private static void Widen<L>(byte* from, int depth, float* to) where L : struct, IPanelLoad<Vector256<float>>
    {
        for (var i = 0; i < depth; i++, from += L.Step, to += GemmTile.PanelColumns)
        {
            L.First(from).Store(to);
            L.Second(from).Store(to + 8);
        }
    }
}
