namespace ClipGen.Kernels;

/// <summary>
/// The register-blocked core that matrix products, convolutions and the code search share: a tile of up to <see cref="Rows"/> rows
/// times 32 columns. Both operands lie in panels: A as [k][Rows], B as [k][32]; each result is one chain of multiply-adds in
/// the order of k, whatever the tile it falls in, so results do not depend on how rows are grouped.
/// </summary>
internal static unsafe class GemmTile
{
    /// <summary>Columns of a panel of B, at every SIMD level.</summary>
    public const int Columns = 32;

    /// <summary>Depth of a block of K: a panel of B (32 KiB) and one of A stay in the first-level caches.</summary>
    public const int BlockK = 256;

    /// <summary>Rows of a panel of A: 12 with 32 vector registers, 6 and 4 with 16.</summary>
    public static int Rows(SimdLevel level) => level switch
    {
        SimdLevel.Avx512 => 12,
        SimdLevel.Avx2 => 6,
        _ => 4,
    };
}
