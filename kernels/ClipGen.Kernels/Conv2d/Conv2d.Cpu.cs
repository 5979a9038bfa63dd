namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IConv2d
{
    // Patches of one pass, in floats: half of a 1 MiB second-level cache, the rest is for the filter's blocks.
    private const int PatchFloats = 128 << 10;

    // Part of a filter, in floats, that one pass over the picture uses: 4 MiB stay in the last-level cache while strip after strip goes by.
    // A thinner slice would sit in the second level, but read the picture from memory more often, which costs more.
    private const int FilterFloats = 1 << 20;

    // Border patches of a picture that are gathered once for all parts of the filter, in floats (16 MiB); with more, each strip gathers its own and takes the whole filter.
    private const long SharedPatchFloats = 4 << 20;

    /// <inheritdoc/>
    public void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output)
    {
        ArgumentNullException.ThrowIfNull(filter);
        var s = shape;
        Arguments.Require(s is { Batch: >= 0, Height: > 0, Width: > 0, InChannels: > 0, OutChannels: > 0, Kernel: > 0, Stride: > 0, PadBefore: >= 0, PadAfter: >= 0 } && s.Upsample is 1 or 2,
            $"illegal sizes: {s.Batch} pictures of {s.Height}x{s.Width}, {s.InChannels} to {s.OutChannels} channels, kernel {s.Kernel}, stride {s.Stride}, padding {s.PadBefore}/{s.PadAfter}, upsample {s.Upsample}");
        Arguments.Require(s.Height * s.Upsample + s.PadBefore + s.PadAfter >= s.Kernel && s.Width * s.Upsample + s.PadBefore + s.PadAfter >= s.Kernel, $"a picture of {s.Height}x{s.Width} is smaller than the {s.Kernel}x{s.Kernel} filter");
        Arguments.Require(filter.N == s.OutChannels && filter.K == s.K, $"filter [{filter.N}, {filter.K}], expected [{s.OutChannels}, {s.K}]");
        Arguments.Length(input, (long)s.Batch * s.Height * s.Width * s.InChannels);
        int outWidth = s.OutWidth, pixels = checked(s.OutHeight * outWidth), n = s.OutChannels, k = s.K;
        Arguments.Length(output, (long)s.Batch * pixels * n);
        Arguments.OptionalLength(epilogue.Bias, n);
        Arguments.OptionalLength(epilogue.Residual, (long)s.Batch * pixels * n);
        if (s.Batch == 0) return;

        if (s is { Kernel: 1, Stride: 1, PadBefore: 0, PadAfter: 0, Upsample: 1 })
        {
            // One pixel is one row: a matrix product.
            MatMul(input, checked(s.Batch * pixels), filter, epilogue, output);
            return;
        }

        // Repeating pixels first costs a pass over the picture, reading them in place afterwards saves nine.
        var enlarge = s.Upsample == 2;
        if (enlarge) s = s with { Height = 2 * s.Height, Width = 2 * s.Width, Upsample = 1 };
        var level = Simd;
        var tileRows = GemmTile.Rows(level);
        float* x = Pointer(input), y = Pointer(output), bias = Pointer(epilogue.Bias), residual = Pointer(epilogue.Residual);
        var activation = epilogue.Activation;
        var panels = Pointer(new View<float>(filter.Memory, 0, filter.Memory.ByteLength / 4));
        var columnGroups = GemmTile.Groups(n);

        // A strip: consecutive output pixels of one picture whose patches fit the cache together.
        var stripTiles = Math.Clamp(PatchFloats / (k * tileRows), 1, TilesPerPass);
        var strips = (pixels + stripTiles * tileRows - 1) / (stripTiles * tileRows);
        var tilesInPicture = (pixels + tileRows - 1) / tileRows;
        var panelFloats = (long)tileRows * k;
        var pictureFloats = (long)s.Height * s.Width * s.InChannels;

        // The filter goes by in slices of columns; border patches are gathered before the first slice.
        var perSlice = (int)Math.Clamp(FilterFloats / (GemmTile.Columns * (long)k), 1, columnGroups);
        var borderTiles = new int[tilesInPicture];
        var borders = 0;
        for (var tile = 0; tile < tilesInPicture; tile++)
            borderTiles[tile] = Conv2dPatches.IsInside(s, tile * tileRows, Math.Min(tileRows, pixels - tile * tileRows), tileRows) ? -1 : borders++;
        var shared = borders * panelFloats <= SharedPatchFloats;
        if (!shared) perSlice = columnGroups;
        var slices = (columnGroups + perSlice - 1) / perSlice;
        // Few strips and slices leave threads idle: then the slices are made thinner.
        while (shared && (long)strips * slices < 4 * Workers.Threads && perSlice > 1)
        {
            perSlice = (perSlice + 1) / 2;
            slices = (columnGroups + perSlice - 1) / perSlice;
        }
        using var enlargedMemory = Allocate(enlarge ? 4 * pictureFloats : 0);
        using var sharedMemory = Allocate(shared ? 4 * borders * panelFloats + 64 : 0);
        var sharedPanels = shared ? Pointer(new View<float>(sharedMemory, 0, borders * panelFloats)) : null;

        var rowOffsets = new long[s.Kernel];
        for (var i = 0; i < rowOffsets.Length; i++) rowOffsets[i] = (long)i * s.Width * s.InChannels;
        for (var n0 = 0; n0 < s.Batch; n0++)
        {
            var picture = x + (enlarge ? n0 * pictureFloats / 4 : n0 * pictureFloats);
            if (enlarge)
            {
                var enlarged = Pointer(new View<float>(enlargedMemory, 0, pictureFloats));
                UpsampleNearest2x(picture, s.Height / 2, s.Width / 2, s.InChannels, enlarged);
                picture = enlarged;
            }
            var firstOutput = (long)n0 * pixels;
            if (shared)
            {
                var partTiles = Math.Max(1, (tilesInPicture + 8 * Workers.Threads - 1) / (8 * Workers.Threads));
                Workers.For((tilesInPicture + partTiles - 1) / partTiles, part =>
                {
                    for (var tile = part * partTiles; tile < Math.Min(tilesInPicture, (part + 1) * partTiles); tile++)
                        if (borderTiles[tile] >= 0)
                            Conv2dPatches.Pack(picture, s, tile * tileRows, Math.Min(tileRows, pixels - tile * tileRows), tileRows, sharedPanels + borderTiles[tile] * panelFloats);
                });
            }
            Workers.For(checked(strips * slices), part =>
            {
                int slice = part / strips, strip = part % strips;
                var firstPixel = strip * stripTiles * tileRows;
                var rows = Math.Min(stripTiles * tileRows, pixels - firstPixel);
                var tileCount = (rows + tileRows - 1) / tileRows;
                var patches = shared ? sharedPanels : rowScratch.Floats(stripTiles * panelFloats + 16);
                Span<PatchTile> tiles = stackalloc PatchTile[tileCount];
                for (var t = 0; t < tileCount; t++)
                {
                    var pixel = firstPixel + t * tileRows;
                    var count = Math.Min(tileRows, pixels - pixel);
                    var border = borderTiles[strip * stripTiles + t];
                    if (border < 0)
                    {
                        tiles[t] = PatchTile.InPlace(Conv2dPatches.FirstPixel(picture, s, pixel), count, (long)s.Stride * s.InChannels);
                        continue;
                    }
                    var panel = patches + (shared ? border : t) * panelFloats;
                    if (!shared) Conv2dPatches.Pack(picture, s, pixel, count, tileRows, panel);
                    tiles[t] = PatchTile.Packed(panel, count);
                }
                var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
                var at = firstOutput + firstPixel;
                for (var group = slice * perSlice; group < Math.Min(columnGroups, (slice + 1) * perSlice); group++)
                {
                    var column = group * GemmTile.Columns;
                    var columns = Math.Min(GemmTile.Columns, n - column);
                    GemmTile.MultiplyPatches(level, tiles, rowOffsets, s.Kernel * s.InChannels, panels + (long)column * k, columns, sums);
                    EpilogueKernel.Store(level, sums, rows, columns, bias == null ? null : bias + column, activation,
                        residual == null ? null : residual + at * n + column, y + at * n + column, n);
                }
            });
        }
    }
}
