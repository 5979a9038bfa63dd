using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IVectorQuantize
{
    // Floats of the codebook that a part compares with several passes of rows: 1 MiB, half a second-level cache.
    private const int CodeFloats = 256 << 10;

    /// <inheritdoc/>
    public void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output)
    {
        Arguments.Require(codes > 0 && width > 0 && rows >= 0, $"{rows} rows against {codes} codes of {width}");
        Arguments.Length(input, (long)rows * width);
        Arguments.Length(codebook, (long)codes * width);
        Arguments.Length(output, rows);
        if (rows == 0) return;
        var groups = GemmTile.Groups(codes);
        using var packed = AllocatePacked(codes, width);
        using var memory = Allocate(4L * (groups * GemmTile.Columns + (long)rows * groups));
        var panels = PanelsOf(packed);
        var offsets = Pointer(new View<float>(memory, 0, (long)groups * GemmTile.Columns));
        var closest = offsets + groups * GemmTile.Columns;
        var largest = PackCodes(Pointer(codebook), codes, width, panels, offsets);
        CompareGroups(Pointer(input), rows, codes, width, panels, offsets, closest);
        ChooseCodes(Pointer(input), rows, codes, width, panels, closest, largest, Pointer(output));
    }

    /// <summary>Codes into panels, and −|e|² for each, −∞ for columns that only pad the last group. Returns the largest |e|².</summary>
    private double PackCodes(float* codebook, int codes, int width, float* panels, float* offsets)
    {
        const int codesPerPart = 4 * GemmTile.Columns;
        var parts = (codes + codesPerPart - 1) / codesPerPart;
        var largestOfParts = new double[parts];
        var origin = new float[width];
        Workers.For(parts, part =>
        {
            int first = part * codesPerPart, count = Math.Min(codesPerPart, codes - first);
            TilePacking.PackBRows(codebook + (long)first * width, width, first, count, width, panels);
            var squares = stackalloc double[GemmTile.PanelColumns];
            fixed (float* zeros = origin)
                for (var j = first; j < first + GemmTile.Groups(count) * GemmTile.Columns; j++)
                {
                    var lane = j % GemmTile.PanelColumns;
                    if (lane == 0) SquaredDistances(zeros, panels + (long)j * width, width, squares);
                    offsets[j] = j < codes ? -(float)squares[lane] : float.NegativeInfinity;
                    if (j < codes) largestOfParts[part] = Math.Max(largestOfParts[part], squares[lane]);
                }
        });
        return largestOfParts.Max();
    }

    /// <summary>For every row and every group of codes the largest 2·x·e − |e|², in float: how near the nearest of the group is.</summary>
    private void CompareGroups(float* x, int rows, int codes, int width, float* panels, float* offsets, float* closest)
    {
        var level = Simd;
        int tileRows = GemmTile.Rows(level), groups = GemmTile.Groups(codes);
        var tiles = (rows + tileRows - 1) / tileRows;
        var a = TilesOf(x, rows, width, transposed: false, codes);
        var passes = (tiles + TilesPerPass - 1) / TilesPerPass;
        var perSlice = (int)Math.Clamp((long)groups * passes / (8 * Workers.Threads), 1, Math.Max(1, CodeFloats / (GemmTile.Columns * (long)width)));
        var slices = (groups + perSlice - 1) / perSlice;
        Workers.For(checked(passes * slices), part =>
        {
            int firstTile = part % passes * TilesPerPass, slice = part / passes * perSlice;
            int firstRow = firstTile * tileRows, count = Math.Min(rows - firstRow, TilesPerPass * tileRows);
            Span<RowTile> pass = stackalloc RowTile[(count + tileRows - 1) / tileRows];
            for (var t = 0; t < pass.Length; t++) pass[t] = a[firstTile + t, Math.Min(tileRows, count - t * tileRows)];
            var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
            for (var group = slice; group < Math.Min(groups, slice + perSlice); group++)
            {
                var column = group * GemmTile.Columns;
                GemmTile.MultiplyRows(level, pass, [0L], width, panels + (long)column * width, GemmTile.Columns, sums);
                NearestCodeKernel.Closest(level, sums, count, offsets + column, closest + (long)firstRow * groups + group, groups);
            }
        });
    }

    /// <summary>Every group whose nearest code is within the rounding error of the best is compared in double, so the answer is the exact one.</summary>
    private void ChooseCodes(float* x, int rows, int codes, int width, float* panels, float* closest, double largest, int* output)
    {
        var groups = GemmTile.Groups(codes);
        const int rowsPerPart = 16;
        Workers.For((rows + rowsPerPart - 1) / rowsPerPart, part =>
        {
            var distances = stackalloc double[GemmTile.PanelColumns];
            for (var r = part * rowsPerPart; r < Math.Min(rows, (part + 1) * rowsPerPart); r++)
            {
                var row = x + (long)r * width;
                var near = closest + (long)r * groups;
                double length = 0;
                for (var i = 0; i < width; i++) length += (double)row[i] * row[i];
                // A chain of n products errs by at most n·2⁻²⁴ · Σ|x||e| <= n·2⁻²⁴·|x||e|; twice that, twice (two scores), and the rounding of |e|² and of the difference.
                var margin = (float)(Math.ScaleB(1, -24) * (4.0 * (width + 2) * Math.Sqrt(length * largest) + 4 * largest));
                var best = float.NegativeInfinity;
                for (var group = 0; group < groups; group++) best = MathF.Max(best, near[group]);
                var least = double.PositiveInfinity;
                output[r] = 0;
                for (var group = 0; group < groups; group++)
                {
                    if (!(near[group] >= best - margin)) continue;
                    for (var j = group * GemmTile.Columns; j < Math.Min(codes, (group + 1) * GemmTile.Columns); j++)
                    {
                        var lane = j % GemmTile.PanelColumns;
                        if (lane == 0) SquaredDistances(row, panels + (long)j * width, width, distances);
                        if (distances[lane] >= least) continue;
                        least = distances[lane];
                        output[r] = j;
                    }
                }
            }
        });
    }

    /// <summary>Squared distances of a row to the sixteen codes of a panel, in double, each a chain in the order of the width.</summary>
    private static void SquaredDistances(float* row, float* panel, int width, double* distances)
    {
        Vector256<double> a = Vector256<double>.Zero, b = a, c = a, d = a;
        for (var i = 0; i < width; i++, panel += GemmTile.PanelColumns)
        {
            var x = Vector256.Create((double)row[i]);
            var (e0, e1) = Vector256.Widen(Vector256.Load(panel));
            var (e2, e3) = Vector256.Widen(Vector256.Load(panel + 8));
            e0 = x - e0;
            e1 = x - e1;
            e2 = x - e2;
            e3 = x - e3;
            a += e0 * e0;
            b += e1 * e1;
            c += e2 * e2;
            d += e3 * e3;
        }
        a.Store(distances);
        b.Store(distances + 4);
        c.Store(distances + 8);
        d.Store(distances + 12);
    }
}
