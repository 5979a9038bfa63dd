namespace ClipGen.Kernels;

/// <summary>
/// The register-blocked core that matrix products, convolutions, attention and the code search share: a tile of up to
/// <see cref="Rows"/> rows times 32 columns. Both operands lie in panels: A as [k][Rows], B as [k][32]. Each result is one chain of
/// multiply-adds in the order of k inside a block of <see cref="BlockK"/>, and the sum of its blocks in order, whatever the tile
/// it falls in; so results do not depend on how rows are grouped.
/// </summary>
internal static unsafe class GemmTile
{
    /// <summary>Columns of a panel of B, at every SIMD level.</summary>
    public const int Columns = 32;

    /// <summary>Depth of a block of K: that much of a panel of B is 32 KiB and is used by several tiles while it is near.</summary>
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

    /// <summary>Panels that hold <paramref name="n"/> columns.</summary>
    public static int Panels(int n) => (n + Columns - 1) / Columns;

    /// <summary><c>c[rows x 32] = (accumulate ? c : 0) + A·B</c> over one block of at most <see cref="BlockK"/> steps of k. Panel rows from <paramref name="rows"/> on are read but not stored.</summary>
    public static void Multiply(SimdLevel level, float* aPanel, float* bPanel, int depth, int rows, float* c, long ldc, bool accumulate)
    {
        if (level == SimdLevel.Avx512) GemmTile512.Multiply(aPanel, bPanel, depth, rows, c, ldc, accumulate);
        else if (level == SimdLevel.Avx2) GemmTile256.Multiply(aPanel, bPanel, depth, rows, c, ldc, accumulate);
        else GemmTile128.Multiply(aPanel, bPanel, depth, rows, c, ldc, accumulate);
    }

    /// <summary>
    /// Several tiles of A (each a panel of k x Rows, one after another, <paramref name="rows"/> rows in all) times one panel of B,
    /// into <paramref name="sums"/>: tile after tile of [Rows][32]. A block of B is used by all tiles before the next is touched.
    /// </summary>
    public static void MultiplyTiles(SimdLevel level, float* aTiles, int rows, int k, float* bPanel, float* sums)
    {
        var tileRows = Rows(level);
        var tiles = (rows + tileRows - 1) / tileRows;
        if (k == 0) new Span<float>(sums, tiles * tileRows * Columns).Clear();
        for (var block = 0; block < k; block += BlockK)
        {
            var depth = Math.Min(BlockK, k - block);
            for (var tile = 0; tile < tiles; tile++)
                Multiply(level, aTiles + ((long)tile * k + block) * tileRows, bPanel + (long)block * Columns, depth,
                    Math.Min(tileRows, rows - tile * tileRows), sums + tile * tileRows * Columns, Columns, block > 0);
        }
    }
}
