namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend
{
    // Fewer tiles than a register tile has rows leave most of its work unused, and transforming tiles pays off where many channels share the work on both sides.
    private const int LeastWinogradTiles = 4;
    private const int LeastWinogradChannels = 16;

    /// <summary>
    /// Whether a convolution goes through Winograd's minimal filtering: 3x3 filters with step 1 over pictures of at least four tiles of 4x4 outputs and 16 channels on either side. A picture's own sizes decide, so that its bits do
    /// not depend on the batch. <see cref="KernelVariants.Conv2d"/> can force either way.
    /// </summary>
    private bool IsWinograd(in ConvolutionGeometry s, int n) =>
        s is { KernelHeight: WinogradKernel.Filter, KernelWidth: WinogradKernel.Filter, Stride: 1, OutStep: 1 } && Variants.Conv2d switch
        {
            ConvolutionForm.Direct => false,
            ConvolutionForm.Tiles => true,
            _ => s.Channels >= LeastWinogradChannels && n >= LeastWinogradChannels && TilesOf(s.OutHeight) * TilesOf(s.OutWidth) >= LeastWinogradTiles,
        };

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

        // Rows of tiles that one thread takes at a time: so many have all their sums for 32 output channels in the second-level cache.
        var most = TilesPerPass * tileRows;
        if (tiles <= most && groups >= Workers.Threads)
        {
            ByGroups();
            return;
        }

        // Many tiles share the filters, so these are transformed once: for each of the 36 places a packed operand [n, channels].
        var panelFloats = (long)channels * GemmTile.PanelColumns;
        var placeFloats = columnPanels * panelFloats;
        using var memory = Allocate(4 * WinogradKernel.Places * placeFloats);
        var filters = Pointer(new View<float>(memory, 0, WinogradKernel.Places * placeFloats));
        Workers.For(columnPanels, panel => WinogradKernel.TransformFilter(level, panels + panel * WinogradKernel.Filter * WinogradKernel.Filter * panelFloats, panelFloats, (int)panelFloats, filters + panel * panelFloats, placeFloats));

        // Fewer tiles at a time where threads would go without.
        var parts = Math.Max((tiles + most - 1) / most, Math.Min(Workers.Threads, (tiles + tileRows - 1) / tileRows));
        var perPart = ((tiles + parts - 1) / parts + tileRows - 1) / tileRows * tileRows;
        parts = (tiles + perPart - 1) / perPart;
        long inputPlace = PlaceStride(perPart, channels), sumPlace = PlaceStride(perPart, GemmTile.Columns);
        Workers.For(parts, part =>
        {
            int first = part * perPart, count = Math.Min(perPart, tiles - first);
            var inputs = rowScratch.Floats(WinogradKernel.Places * inputPlace);
            TransformInputs(inputs, inputPlace, first, 0, count);
            ClearRows(inputs, inputPlace, count);
            var sums = SumsOf(sumPlace);
            ReadOnlySpan<long> whole = [0];
            Span<RowTile> rowTiles = stackalloc RowTile[(count + tileRows - 1) / tileRows];
            for (var group = 0; group < groups; group++)
            {
                var column = group * GemmTile.Columns;
                for (var place = 0; place < WinogradKernel.Places; place++)
                {
                    TakeRows(rowTiles, inputs + place * inputPlace);
                    GemmTile.MultiplyRows(level, rowTiles, whole, channels, filters + place * placeFloats + (long)column * channels, Math.Min(GemmTile.Columns, n - column), sums + place * sumPlace);
                }
                Store(sums, sumPlace, first, count, column);
            }
        });

        // Few tiles: what the filters take weighs most, four times their memory if all of it were written and read again. So each thread transforms those of 32 output channels, a block of the input channels at a time, and uses
        // them up while they are near. The chains are those of the other way.
        void ByGroups()
        {
            var rows = (tiles + tileRows - 1) / tileRows * tileRows;
            long inputPlace = PlaceStride(rows, channels), sumPlace = PlaceStride(rows, GemmTile.Columns), panelFloats = (long)channels * GemmTile.PanelColumns;
            using var memory = Allocate(4 * WinogradKernel.Places * inputPlace);
            var inputs = Pointer(new View<float>(memory, 0, WinogradKernel.Places * inputPlace));
            Workers.For(tiles, tile => TransformInputs(inputs, inputPlace, tile, tile, 1));
            ClearRows(inputs, inputPlace, tiles);
            var filterPlace = PlaceStride(Math.Min(channels, GemmTile.BlockK), GemmTile.Columns);
            Workers.For(groups, group =>
            {
                int column = group * GemmTile.Columns, columns = Math.Min(GemmTile.Columns, n - column);
                var filters = rowScratch.Floats(WinogradKernel.Places * filterPlace);
                var sums = SumsOf(sumPlace);
                Span<RowTile> rowTiles = stackalloc RowTile[rows / tileRows];
                var aheadStep = Math.Max(1, GemmTile.Columns * sizeof(float) / rowTiles.Length);
                for (var block = 0; block < channels; block += GemmTile.BlockK)
                {
                    var depth = Math.Min(GemmTile.BlockK, channels - block);
                    var blockFloats = depth * GemmTile.PanelColumns;
                    for (var panel = 0; panel < GemmTile.Columns / GemmTile.PanelColumns; panel++)
                    {
                        var taps = panels + (column / GemmTile.PanelColumns + panel) * WinogradKernel.Filter * WinogradKernel.Filter * panelFloats + (long)block * GemmTile.PanelColumns;
                        WinogradKernel.TransformFilter(level, taps, panelFloats, blockFloats, filters + panel * blockFloats, filterPlace);
                    }
                    for (var place = 0; place < WinogradKernel.Places; place++)
                    {
                        var filter = filters + place * filterPlace;
                        TakeRows(rowTiles, inputs + place * inputPlace);
                        GemmTile.MultiplyBlock(level, rowTiles, block, depth, filter, blockFloats, columns, sums + place * sumPlace, (byte*)(filter + filterPlace), aheadStep);
                    }
                }
                Store(sums, sumPlace, 0, tiles, column);
            });
        }

        // One line more than a power of two, so that the 36 places of a tile do not fall into the same sets of a cache.
        static long PlaceStride(int rows, int columns) => (long)rows * columns + GemmTile.PanelColumns;

        float* SumsOf(long place) => sumScratch.Floats(WinogradKernel.Places * place + WinogradKernel.Outputs * WinogradKernel.Outputs * GemmTile.Columns);

        // Tiles from the first one on into rows from some row on.
        void TransformInputs(float* inputs, long place, int first, int row, int count)
        {
            for (var t = 0; t < count; t++)
            {
                int picture = (first + t) / inPicture, tile = (first + t) % inPicture;
                WinogradKernel.TransformInput(level, x + picture * pictureFloats, s, upsample, tile / tilesAcross * WinogradKernel.Outputs - s.PadTop, tile % tilesAcross * WinogradKernel.Outputs - s.PadLeft, inputs + (long)(row + t) * channels, place);
            }
        }

        // Rows that fill the last register tile are computed and not looked at; they must be numbers, for others are slow.
        void ClearRows(float* inputs, long placeStride, int count)
        {
            var missing = (count + tileRows - 1) / tileRows * tileRows - count;
            for (var place = 0; place < WinogradKernel.Places && missing > 0; place++) new Span<float>(inputs + place * placeStride + (long)count * channels, missing * channels).Clear();
        }

        void TakeRows(Span<RowTile> rowTiles, float* rows)
        {
            for (var t = 0; t < rowTiles.Length; t++) rowTiles[t] = RowTile.InPlace(rows + (long)t * tileRows * channels, tileRows, channels);
        }

        // The sums of 32 output channels become outputs.
        void Store(float* sums, long place, int first, int count, int column)
        {
            var results = sums + WinogradKernel.Places * place;
            var columns = Math.Min(GemmTile.Columns, n - column);
            for (var t = 0; t < count; t++)
            {
                WinogradKernel.TransformOutput(level, sums + t * GemmTile.Columns, place, columns, results);
                int picture = (first + t) / inPicture, tile = (first + t) % inPicture, top = tile / tilesAcross * WinogradKernel.Outputs, left = tile % tilesAcross * WinogradKernel.Outputs;
                var across = Math.Min(WinogradKernel.Outputs, s.OutWidth - left);
                for (var i = 0; i < Math.Min(WinogradKernel.Outputs, s.OutHeight - top); i++)
                {
                    var at = ((long)picture * s.OutPixels + s.OutFirst + (long)(top + i) * s.OutRow + left) * n + column;
                    EpilogueKernel.Store(level, results + i * WinogradKernel.Outputs * GemmTile.Columns, across, columns, bias == null ? null : bias + column, activation, residual == null ? null : residual + at, y + at, n);
                }
            }
        }
    }
}
