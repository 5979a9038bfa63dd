using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>
/// Instruction sets that this machine lacks, run in software through every small case: the tiles and kernels of a wider processor
/// are then tested before one is at hand. Multiply-adds may round otherwise than in hardware; the tolerances allow either.
/// </summary>
public sealed class SoftwareLevelTests
{
    public static TheoryData<SimdLevel> Levels() => [.. Enum.GetValues<SimdLevel>()];

    [Theory]
    [MemberData(nameof(Levels))]
    public void EveryCaseMatchesTheReference(SimdLevel level)
    {
        using var reference = new ReferenceBackend();
        using var cpu = CpuBackend.InSoftware(2, level);
        Assert.Equal(level, cpu.Simd);
        foreach (var test in CaseRegistry.All.Where(test => !test.Large))
            CaseRunner.Compare(test, CaseRunner.Execute(test, reference), CaseRunner.Execute(test, cpu, shift: 1), $"cpu {level} in software");
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void EveryHeightOfTheTileMatchesPlainSums(SimdLevel level) => Tile(level);

    // Rows 1 … 12 go through every body of a tile, a depth of 300 through a first and an accumulating block;
    // the panel's missing rows hold values that must not reach the result.
    private static unsafe void Tile(SimdLevel level)
    {
        const int depth = 300;
        var panelRows = GemmTile.Rows(level);
        var a = CaseData.Normal(depth * panelRows, 1);
        var b = CaseData.Normal(depth * GemmTile.Columns, 2);
        for (var rows = 1; rows <= panelRows; rows++)
            foreach (var columns in new[] { 32, 17, 5 })
            {
                var c = CaseData.Normal(panelRows * GemmTile.Columns, 3);
                var before = c.ToArray();
                fixed (float* x = a, y = b, z = c) GemmTile.MultiplyTiles(level, x, rows, depth, y, depth, columns, z);
                for (var r = 0; r < panelRows; r++)
                    for (var j = 0; j < columns; j++)
                    {
                        var found = c[r * GemmTile.Columns + j];
                        if (r >= rows)
                        {
                            Assert.Equal(before[r * GemmTile.Columns + j], found);
                            continue;
                        }
                        var sum = 0.0;
                        for (var k = 0; k < depth; k++) sum += (double)a[k * panelRows + r] * b[(j / 16 * depth + k) * 16 + j % 16];
                        // 300 roundings of sums below 80: 300 · 2⁻²⁴ · 80 at worst, a random walk of them in practice.
                        Assert.True(Math.Abs(found - sum) <= 2e-4, $"{level}, {rows} rows: [{r}, {j}] is {found}, expected {sum}");
                    }
            }
    }
}
