using System.Runtime.CompilerServices;

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
        shape.Require();
        Arguments.Require(filter.N == shape.OutChannels && filter.K == shape.K, $"filter [{filter.N}, {filter.K}], expected [{shape.OutChannels}, {shape.K}]");
        Arguments.Require(filter.Type == PackedType.Float32, $"a filter of {filter.Type}, expected {PackedType.Float32}");
        CheckPictures(input, shape, epilogue, output);
        if (shape.Batch == 0) return;
        // One pixel is one row: a matrix product.
        if (IsProduct(shape)) MatMul(input, checked(shape.Batch * shape.OutHeight * shape.OutWidth), filter, epilogue, output);
        else Convolve(input, shape, PanelsOf(filter), epilogue, output);
    }

    /// <inheritdoc/>
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        shape.Require();
        Arguments.Length(filter, (long)shape.OutChannels * shape.K);
        CheckPictures(input, shape, epilogue, output);
        if (shape.Batch == 0) return;
        if (IsProduct(shape))
        {
            MatMulPlain(new MatMulShape(checked(shape.Batch * shape.OutHeight * shape.OutWidth), shape.OutChannels, shape.InChannels), input, filter, epilogue, output);
            return;
        }
        using var packed = AllocatePacked(shape.OutChannels, shape.K);
        PackPlainRows(Pointer(filter), shape.OutChannels, shape.K, PanelsOf(packed));
        Convolve(input, shape, PanelsOf(packed), epilogue, output);
    }

    private static void CheckPictures(View<float> input, in Conv2dShape s, in Epilogue epilogue, View<float> output, [CallerMemberName] string op = "")
    {
        Arguments.Length(input, (long)s.Batch * s.Height * s.Width * s.InChannels, op: op);
        var outputs = (long)s.Batch * checked(s.OutHeight * s.OutWidth) * s.OutChannels;
        Arguments.Length(output, outputs, op: op);
        Arguments.OptionalLength(epilogue.Bias, s.OutChannels, op: op);
        Arguments.OptionalLength(epilogue.Residual, outputs, op: op);
    }

    private static bool IsProduct(in Conv2dShape s) => s is { Kernel: 1, Stride: 1, PadBefore: 0, PadAfter: 0, Upsample: 1 };

    private static bool IsEnlarging(in Conv2dShape s) => s is { Upsample: 2, Kernel: 3, Stride: 1, PadBefore: 1, PadAfter: 1 };

    private void Convolve(View<float> input, in Conv2dShape s, float* panels, in Epilogue epilogue, View<float> output)
    {
        var geometry = GeometryOf(s);
        if (s.Upsample > 1 && IsWinograd(geometry, s.OutChannels))
        {
            ConvolveWinograd(input, geometry, s.Upsample, s.Batch, panels, s.OutChannels, epilogue, output);
            return;
        }
        if (IsEnlarging(s))
        {
            ConvolveEnlarged(input, s, panels, epilogue, output);
            return;
        }
        if (s.Upsample == 1)
        {
            Convolve(input, geometry, s.Batch, panels, s.OutChannels, epilogue, output);
            return;
        }
        using var memory = Allocate(16L * s.Batch * s.Height * s.Width * s.InChannels);
        var enlarged = new View<float>(memory, 0, 4L * s.Batch * s.Height * s.Width * s.InChannels);
        UpsampleNearest2x(input, s.Batch, s.Height, s.Width, s.InChannels, enlarged);
        Convolve(enlarged, geometry, s.Batch, panels, s.OutChannels, epilogue, output);
    }

    /// <summary>The convolution as it is, over the enlarged picture where there is one.</summary>
    private static ConvolutionGeometry GeometryOf(in Conv2dShape s) => new()
    {
        Height = s.Height * s.Upsample,
        Width = s.Width * s.Upsample,
        Channels = s.InChannels,
        KernelHeight = s.Kernel,
        KernelWidth = s.Kernel,
        Stride = s.Stride,
        PadTop = s.PadBefore,
        PadLeft = s.PadBefore,
        OutHeight = s.OutHeight,
        OutWidth = s.OutWidth,
        OutFirst = 0,
        OutStep = 1,
        OutRow = s.OutWidth,
        OutPixels = s.OutHeight * s.OutWidth,
    };

    /// <summary>One of the four convolutions of an <see cref="IsEnlarging"/> one: a 2x2 filter over the small picture that writes every other pixel of every other row.</summary>
    private static ConvolutionGeometry EnlargingPhase(in Conv2dShape s, int down, int right) => new()
    {
        Height = s.Height,
        Width = s.Width,
        Channels = s.InChannels,
        KernelHeight = 2,
        KernelWidth = 2,
        Stride = 1,
        PadTop = 1 - down,
        PadLeft = 1 - right,
        OutHeight = s.Height,
        OutWidth = s.Width,
        OutFirst = down * 2 * s.Width + right,
        OutStep = 2,
        OutRow = 4 * s.Width,
        OutPixels = 4 * s.Height * s.Width,
    };

    /// <summary>
    /// Tap of a phase's 2x2 filter that holds tap t of the 3x3 filter: filter row t of output row 2y + down lies over enlarged row 2y + down + t − 1,
    /// which is row y − 1 + (down + t + 1) / 2 of the picture. The same for columns.
    /// </summary>
    private static int EnlargingTap(int down, int t) => (down + t + 1) / 2 - down;

    /// <summary>
    /// Nearest x2 and a 3x3 filter as four 2x2 filters over the small picture: an output pixel sees only 2x2 different pixels, so the
    /// filter's values that meet the same pixel are added first. 4/9 of the multiply-adds, and the large picture never exists.
    /// </summary>
    private void ConvolveEnlarged(View<float> input, in Conv2dShape s, float* panels, in Epilogue epilogue, View<float> output)
    {
        const int kernel = 2, taps = 9;
        int channels = s.InChannels, columnPanels = GemmTile.Groups(s.OutChannels) * (GemmTile.Columns / GemmTile.PanelColumns);
        var level = Simd;
        var tapFloats = (long)channels * GemmTile.PanelColumns;
        using var memory = Allocate(4L * columnPanels * kernel * kernel * tapFloats);
        var summed = Pointer(new View<float>(memory, 0, columnPanels * kernel * kernel * tapFloats));
        for (var phase = 0; phase < 4; phase++)
        {
            int down = phase / 2, right = phase % 2;
            Workers.For(columnPanels, panel =>
            {
                var to = summed + panel * kernel * kernel * tapFloats;
                new Span<float>(to, checked((int)(kernel * kernel * tapFloats))).Clear();
                for (var tap = 0; tap < taps; tap++)
                {
                    var sum = to + (EnlargingTap(down, tap / 3) * kernel + EnlargingTap(right, tap % 3)) * tapFloats;
                    ElementwiseKernel.Combine<AddPair>(level, sum, panels + (panel * taps + tap) * tapFloats, (int)tapFloats, sum);
                }
            });
            Convolve(input, EnlargingPhase(s, down, right), s.Batch, summed, s.OutChannels, epilogue, output);
        }
    }

    private void Convolve(View<float> input, in ConvolutionGeometry geometry, int batch, float* panels, int n, in Epilogue epilogue, View<float> output)
    {
        if (IsWinograd(geometry, n))
        {
            ConvolveWinograd(input, geometry, 1, batch, panels, n, epilogue, output);
            return;
        }
        var s = geometry;
        int pixels = s.OutHeight * s.OutWidth, k = s.K;
        var level = Simd;
        var tileRows = GemmTile.Rows(level);
        float* x = Pointer(input), y = Pointer(output), bias = Pointer(epilogue.Bias), residual = Pointer(epilogue.Residual);
        var activation = epilogue.Activation;
        var columnGroups = GemmTile.Groups(n);

        // A strip: consecutive output pixels of one picture whose patches fit the cache together.
        var stripTiles = Math.Clamp(PatchFloats / (k * tileRows), 1, TilesPerPass);
        var strips = (pixels + stripTiles * tileRows - 1) / (stripTiles * tileRows);
        var tilesInPicture = (pixels + tileRows - 1) / tileRows;
        var panelFloats = (long)tileRows * k;
        var pictureFloats = (long)s.Height * s.Width * s.Channels;

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
        using var sharedMemory = Allocate(shared ? 4 * borders * panelFloats + 64 : 0);
        var sharedPanels = shared ? Pointer(new View<float>(sharedMemory, 0, borders * panelFloats)) : null;

        var rowOffsets = new long[s.KernelHeight];
        for (var i = 0; i < rowOffsets.Length; i++) rowOffsets[i] = (long)i * s.Width * s.Channels;
        for (var n0 = 0; n0 < batch; n0++)
        {
            var picture = x + n0 * pictureFloats;
            var firstOutput = (long)n0 * s.OutPixels + s.OutFirst;
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
                Span<RowTile> tiles = stackalloc RowTile[tileCount];
                for (var t = 0; t < tileCount; t++)
                {
                    var pixel = firstPixel + t * tileRows;
                    var count = Math.Min(tileRows, pixels - pixel);
                    var border = borderTiles[strip * stripTiles + t];
                    if (border < 0)
                    {
                        tiles[t] = RowTile.InPlace(Conv2dPatches.FirstPixel(picture, s, pixel), count, (long)s.Stride * s.Channels);
                        continue;
                    }
                    var panel = patches + (shared ? border : t) * panelFloats;
                    if (!shared) Conv2dPatches.Pack(picture, s, pixel, count, tileRows, panel);
                    tiles[t] = RowTile.Packed(panel, count);
                }
                var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
                for (var group = slice * perSlice; group < Math.Min(columnGroups, (slice + 1) * perSlice); group++)
                {
                    var column = group * GemmTile.Columns;
                    var columns = Math.Min(GemmTile.Columns, n - column);
                    GemmTile.MultiplyRows(level, tiles, rowOffsets, s.KernelWidth * s.Channels, panels + (long)column * k, columns, sums);
                    // Row by row of the output, whose pixels are evenly spaced only inside a row; one stretch where rows follow each other.
                    for (var done = 0; done < rows;)
                    {
                        int pixel = firstPixel + done, inRow = pixel % s.OutWidth;
                        var count = s.OutStep == 1 ? rows - done : Math.Min(rows - done, s.OutWidth - inRow);
                        var at = (firstOutput + (long)(pixel / s.OutWidth) * s.OutRow + (long)inRow * s.OutStep) * n + column;
                        EpilogueKernel.Store(level, sums + done * GemmTile.Columns, count, columns, bias == null ? null : bias + column, activation,
                            residual == null ? null : residual + at, y + at, (long)s.OutStep * n);
                        done += count;
                    }
                }
            });
        }
    }
}
