namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend
{
    // What a 3x3 filter costs to transform pays off where a picture has many tiles, and transforming tiles where many channels share the work on both sides.
    private const int LeastWinogradTiles = 64;
    private const int LeastWinogradChannels = 16;

    /// <summary>
    /// Whether a convolution goes through Winograd's minimal filtering: 3x3 filters with step 1 over pictures of at least 32 x 32 outputs and 16 channels on either side. A picture's own sizes decide, so that its bits do
    /// not depend on the batch.
    /// </summary>
    private static bool IsWinograd(in ConvolutionGeometry s, int n) =>
        s is { KernelHeight: WinogradKernel.Filter, KernelWidth: WinogradKernel.Filter, Stride: 1, OutStep: 1 } && s.Channels >= LeastWinogradChannels && n >= LeastWinogradChannels && TilesOf(s.OutHeight) * TilesOf(s.OutWidth) >= LeastWinogradTiles;

    private static int TilesOf(int outputs) => (outputs + WinogradKernel.Outputs - 1) / WinogradKernel.Outputs;

    /// <summary>
    /// The convolution by tiles of 4x4 outputs (Winograd 1980; Lavin and Gray 2016): 36 products of transformed tiles and transformed filters, one for each place of a transformed tile, where the direct form has 144 multiply-adds
    /// a tile, channel and output channel. Behind nearest x2 the geometry is the enlarged picture's, which is read off the small one.
    /// </summary>
    private void ConvolveWinograd(View<float> input, in ConvolutionGeometry geometry, int upsample, int batch, float* panels, int n, in Epilogue epilogue, View<float> output)
    {
        var s = geometry;
        var level = Simd;
        var tileRows = GemmTile.Rows(level);
        int channels = s.Channels, groups = GemmTile.Groups(n), columnPanels = groups * (GemmTile.Columns / GemmTile.PanelColumns);
        int tilesDown = TilesOf(s.OutHeight), tilesAcross = TilesOf(s.OutWidth), inPicture = tilesDown * tilesAcross;
        var tiles = checked(batch * inPicture);
        float* x = Pointer(input), y = Pointer(output), bias = Pointer(epilogue.Bias), residual = Pointer(epilogue.Residual);
        var activation = epilogue.Activation;
        var pictureFloats = (long)(s.Height / upsample) * (s.Width / upsample) * channels;

        // The filters, transformed: for each of the 36 places a packed operand [n, channels].
        var placeFloats = (long)columnPanels * channels * GemmTile.PanelColumns;
        using var memory = Allocate(4 * WinogradKernel.Places * placeFloats);
        var filters = Pointer(new View<float>(memory, 0, WinogradKernel.Places * placeFloats));
        Workers.For(columnPanels, panel =>
        {
            var panelFloats = (long)channels * GemmTile.PanelColumns;
            WinogradKernel.TransformFilter(level, panels + panel * WinogradKernel.Filter * WinogradKernel.Filter * panelFloats, (int)panelFloats, filters + panel * panelFloats, placeFloats);
        });

        // As many tiles at a time as have all their sums for 32 output channels in the second-level cache; fewer where threads would go without.
        var most = TilesPerPass * tileRows;
        var parts = Math.Max((tiles + most - 1) / most, Math.Min(Workers.Threads, (tiles + tileRows - 1) / tileRows));
        var perPart = ((tiles + parts - 1) / parts + tileRows - 1) / tileRows * tileRows;
        parts = (tiles + perPart - 1) / perPart;
        // One line more than a power of two, so that the 36 places of a tile do not fall into the same sets of a cache.
        long inputPlace = (long)perPart * channels + GemmTile.PanelColumns, sumPlace = (long)perPart * GemmTile.Columns + GemmTile.PanelColumns;
        Workers.For(parts, part =>
        {
            int first = part * perPart, count = Math.Min(perPart, tiles - first), rows = (count + tileRows - 1) / tileRows * tileRows;
            var inputs = rowScratch.Floats(WinogradKernel.Places * inputPlace);
            for (var t = 0; t < count; t++)
            {
                int picture = (first + t) / inPicture, tile = (first + t) % inPicture;
                WinogradKernel.TransformInput(level, x + picture * pictureFloats, s, upsample, tile / tilesAcross * WinogradKernel.Outputs - s.PadTop, tile % tilesAcross * WinogradKernel.Outputs - s.PadLeft, inputs + (long)t * channels, inputPlace);
            }
            // Rows that fill the last register tile are computed and not looked at; they must be numbers, for others are slow.
            for (var place = 0; place < WinogradKernel.Places && rows > count; place++) new Span<float>(inputs + place * inputPlace + (long)count * channels, (rows - count) * channels).Clear();

            var sums = sumScratch.Floats(WinogradKernel.Places * sumPlace + WinogradKernel.Outputs * WinogradKernel.Outputs * GemmTile.Columns);
            var results = sums + WinogradKernel.Places * sumPlace;
            ReadOnlySpan<long> whole = [0];
            Span<RowTile> rowTiles = stackalloc RowTile[rows / tileRows];
            for (var group = 0; group < groups; group++)
            {
                var column = group * GemmTile.Columns;
                var columns = Math.Min(GemmTile.Columns, n - column);
                for (var place = 0; place < WinogradKernel.Places; place++)
                {
                    for (var t = 0; t < rowTiles.Length; t++) rowTiles[t] = RowTile.InPlace(inputs + place * inputPlace + (long)t * tileRows * channels, tileRows, channels);
                    GemmTile.MultiplyRows(level, rowTiles, whole, channels, filters + place * placeFloats + (long)column * channels, columns, sums + place * sumPlace);
                }
                for (var t = 0; t < count; t++)
                {
                    WinogradKernel.TransformOutput(level, sums + t * GemmTile.Columns, sumPlace, columns, results);
                    int picture = (first + t) / inPicture, tile = (first + t) % inPicture, top = tile / tilesAcross * WinogradKernel.Outputs, left = tile % tilesAcross * WinogradKernel.Outputs;
                    var across = Math.Min(WinogradKernel.Outputs, s.OutWidth - left);
                    for (var i = 0; i < Math.Min(WinogradKernel.Outputs, s.OutHeight - top); i++)
                    {
                        var at = ((long)picture * s.OutPixels + s.OutFirst + (long)(top + i) * s.OutRow + left) * n + column;
                        EpilogueKernel.Store(level, results + i * WinogradKernel.Outputs * GemmTile.Columns, across, columns, bias == null ? null : bias + column, activation, residual == null ? null : residual + at, y + at, n);
                    }
                }
            }
        });
    }
}
