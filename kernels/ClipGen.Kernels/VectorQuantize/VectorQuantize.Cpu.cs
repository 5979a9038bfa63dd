namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IVectorQuantize
{
    // Panels of codes that one part compares with all its rows.
    private const int VectorQuantizeTiles = 8;

    /// <inheritdoc/>
    public void NearestCode(View<float> input, View<float> codebook, int rows, int codes, int width, View<int> output)
    {
        Arguments.Require(codes > 0 && width > 0 && rows >= 0, $"{rows} rows against {codes} codes of {width}");
        Arguments.Length(input, (long)rows * width);
        Arguments.Length(codebook, (long)codes * width);
        Arguments.Length(output, rows);
        if (rows == 0) return;
        float* x = Pointer(input), e = Pointer(codebook);
        var y = Pointer(output);
        var level = Simd;
        var tileRows = GemmTile.Rows(level);

        using var packed = AllocatePacked(codes, width);
        using var norms = Allocate(8L * codes);
        var panels = Pointer(new View<float>(packed.Memory, 0, packed.Memory.ByteLength / 4));
        var squares = Pointer(new View<double>(norms, 0, codes));
        const int codesPerPart = 128;
        Workers.For((codes + codesPerPart - 1) / codesPerPart, part =>
        {
            var first = part * codesPerPart;
            var count = Math.Min(codesPerPart, codes - first);
            TilePacking.PackBRows(e + (long)first * width, width, first, count, width, panels);
            for (var j = first; j < first + count; j++)
            {
                var sum = 0.0;
                for (var i = 0; i < width; i++) sum += (double)e[(long)j * width + i] * e[(long)j * width + i];
                squares[j] = sum;
            }
        });
        var largest = 0.0;
        for (var j = 0; j < codes; j++) largest = Math.Max(largest, squares[j]);

        var partRows = VectorQuantizeTiles * tileRows;
        Workers.For((rows + partRows - 1) / partRows, part =>
        {
            var first = part * partRows;
            var count = Math.Min(partRows, rows - first);
            var tiles = (count + tileRows - 1) / tileRows;
            var a = rowScratch.Floats((long)tiles * tileRows * width + (long)count * GemmTile.Groups(codes) * GemmTile.Columns + 16);
            var scores = a + (long)tiles * tileRows * width;
            var rowScores = GemmTile.Groups(codes) * GemmTile.Columns;
            var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
            for (var tile = 0; tile < tiles; tile++) PackTile(x + (long)first * width, count, width, tile, tileRows, a + (long)tile * tileRows * width);
            // 1. Scores |e|² − 2 x·e in float for a few dozen rows (never for all rows at once).
            for (var panel = 0; panel < GemmTile.Groups(codes); panel++)
            {
                var column = panel * GemmTile.Columns;
                GemmTile.MultiplyTiles(level, a, count, width, panels + (long)column * width, width, GemmTile.Columns, sums);
                for (var r = 0; r < count; r++)
                    for (var j = 0; j < Math.Min(GemmTile.Columns, codes - column); j++)
                        scores[(long)r * rowScores + column + j] = (float)squares[column + j] - 2 * sums[r * GemmTile.Columns + j];
            }
            // 2. Every code whose score is within the rounding error of the best is compared in double, so the answer is the exact one.
            for (var r = 0; r < count; r++)
            {
                var row = x + (long)(first + r) * width;
                var score = scores + (long)r * rowScores;
                double length = 0;
                for (var i = 0; i < width; i++) length += (double)row[i] * row[i];
                // A chain of n products errs by at most n·2⁻²⁴ · Σ|x||e| <= n·2⁻²⁴·|x||e|; twice that, twice (two scores), and the rounding of |e|² and of the difference.
                var margin = (float)(Math.ScaleB(1, -24) * (4.0 * (width + 2) * Math.Sqrt(length * largest) + 4 * largest));
                var best = float.PositiveInfinity;
                for (var j = 0; j < codes; j++) best = MathF.Min(best, score[j]);
                var bestDistance = double.PositiveInfinity;
                y[first + r] = 0;
                for (var j = 0; j < codes; j++)
                {
                    if (!(score[j] <= best + margin)) continue;
                    var distance = Distance(row, e + (long)j * width, width);
                    if (distance >= bestDistance) continue;
                    bestDistance = distance;
                    y[first + r] = j;
                }
            }
        });
    }

    private static double Distance(float* a, float* b, int width)
    {
        var sum = 0.0;
        for (var i = 0; i < width; i++)
        {
            var d = (double)a[i] - b[i];
            sum += d * d;
        }
        return sum;
    }
}
