namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend
{
    // Pixels whose gradients are packed at once: enough that dW is seldom fetched, few enough that they stay near, 2 MiB for 128 outputs.
    private const int PixelsAtOnce = 16 * GemmTile.BlockK;

    /// <inheritdoc/>
    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient)
    {
        shape.Require();
        Arguments.Length(input, (long)shape.Batch * shape.Height * shape.Width * shape.InChannels);
        Arguments.Length(outputGradient, (long)shape.Batch * checked(shape.OutHeight * shape.OutWidth) * shape.OutChannels);
        Arguments.Length(filterGradient, (long)shape.OutChannels * shape.K);
        var dw = Pointer(filterGradient);
        if (shape.Batch == 0)
        {
            for (var o = 0; o < shape.OutChannels; o++) new Span<float>(dw + (long)o * shape.K, shape.K).Clear();
        }
        else if (IsEnlarging(shape))
        {
            EnlargedFilterGradient(input, shape, outputGradient, dw);
        }
        else if (shape.Upsample == 1)
        {
            FilterGradient(Pointer(input), GeometryOf(shape), shape.Batch, Pointer(outputGradient), shape.OutChannels, dw);
        }
        else
        {
            using var memory = Allocate(16L * shape.Batch * shape.Height * shape.Width * shape.InChannels);
            var enlarged = new View<float>(memory, 0, memory.ByteLength / 4);
            UpsampleNearest2x(input, shape.Batch, shape.Height, shape.Width, shape.InChannels, enlarged);
            FilterGradient(Pointer(enlarged), GeometryOf(shape), shape.Batch, Pointer(outputGradient), shape.OutChannels, dw);
        }
    }

    /// <summary>Behind nearest x2: the gradients of the four 2x2 filters of <see cref="ConvolveEnlarged"/>, each tap of which is a sum of taps of the 3x3 filter and hands its gradient to all of them.</summary>
    private void EnlargedFilterGradient(View<float> input, in Conv2dShape shape, View<float> outputGradient, float* filterGradient)
    {
        const int kernel = 3, small = 2;
        int outputs = shape.OutChannels, channels = shape.InChannels;
        var level = Simd;
        using var memory = Allocate(4L * outputs * small * small * channels);
        var ofPhase = Pointer(new View<float>(memory, 0, memory.ByteLength / 4));
        for (var phase = 0; phase < 4; phase++)
        {
            int down = phase / 2, right = phase % 2;
            FilterGradient(Pointer(input), EnlargingPhase(shape, down, right), shape.Batch, Pointer(outputGradient), outputs, ofPhase);
            RunParts(outputs, (long)outputs * channels * kernel * kernel > ParallelPacking, o =>
            {
                for (var tap = 0; tap < kernel * kernel; tap++)
                {
                    var from = ofPhase + ((long)o * small * small + EnlargingTap(down, tap / kernel) * small + EnlargingTap(right, tap % kernel)) * channels;
                    var to = filterGradient + ((long)o * kernel * kernel + tap) * channels;
                    if (down + right == 0) new Span<float>(from, channels).CopyTo(new Span<float>(to, channels));
                    else ElementwiseKernel.Combine<AddPair>(level, to, from, channels, to);
                }
            });
        }
    }

    /// <summary>
    /// <c>dW[O, k·k·I] = dYᵀ[O, P] · patches[P, k·k·I]</c> over all pixels P of the batch: a product whose sums run over pixels. The gradients of some thousand pixels at a time are
    /// packed, multiplied by the patches and added to what is there. The number of pixels depends on the filter alone and the work is split over elements of dW, so the threads don't show in the bits.
    /// </summary>
    private void FilterGradient(float* input, in ConvolutionGeometry geometry, int batch, float* outputGradient, int outputs, float* filterGradient)
    {
        var s = geometry;
        int n = s.K, tileRows = GemmTile.Rows(Simd);
        var total = (long)batch * checked(s.OutHeight * s.OutWidth);
        var wide = s.Channels % GemmTile.PanelColumns == 0;
        // Patches that are packed for all parts together have to stay near too: fewer pixels, in blocks of k, where filters are long.
        var patchFloats = (long)GemmTile.Groups(n) * GemmTile.Columns;
        var atOnce = wide ? PixelsAtOnce : (int)Math.Clamp(PanelFloats / (patchFloats * GemmTile.BlockK), 1, PixelsAtOnce / GemmTile.BlockK) * GemmTile.BlockK;
        atOnce = (int)Math.Min(atOnce, total);
        using var memory = Allocate(wide ? 0 : 4L * patchFloats * atOnce);
        var shared = wide ? null : Pointer(new View<float>(memory, 0, memory.ByteLength / 4));
        var tiles = (outputs + tileRows - 1) / tileRows;
        var packed = rowScratch.Floats((long)tiles * tileRows * atOnce + 16);
        for (var first = 0L; first < total; first += atOnce)
        {
            var begin = first;
            var depth = (int)Math.Min(atOnce, total - first);
            PackOutputGradient(outputGradient, s, outputs, first, depth, packed);
            var target = ProductOutput.Sums(filterGradient, n, accumulate: first > 0);
            if (wide)
            {
                MultiplyChunks(ProductTiles.Packed(packed, depth, tileRows), outputs, n, depth, target, (column, columns, from, count, panels) => PackWidePatches(input, s, begin + from, count, column, columns, panels));
                continue;
            }
            PackNarrowPatches(input, s, first, depth, shared);
            MultiplyPanels(ProductTiles.Packed(packed, depth, tileRows), outputs, depth, PackedPanels.OfFloats(shared, depth), target, n);
        }
    }

    /// <summary>The gradients of pixels <paramref name="first"/>… of the batch as tiles of dYᵀ.</summary>
    private void PackOutputGradient(float* outputGradient, in ConvolutionGeometry s, int outputs, long first, int depth, float* packed)
    {
        if (s.OutStep == 1)
        {
            PackAColumns(outputGradient + first * outputs, outputs, outputs, depth, packed, depth);
            return;
        }
        // Every other pixel: evenly spaced inside a row of the output only.
        var geometry = s;
        var tileRows = GemmTile.Rows(Simd);
        var columnsPerPart = PanelsSideBySide * tileRows;
        RunParts((outputs + columnsPerPart - 1) / columnsPerPart, (long)outputs * depth > ParallelPacking, part =>
        {
            var column = part * columnsPerPart;
            foreach (var run in new PixelRuns(geometry, first, depth))
            {
                var at = run.Picture * geometry.OutPixels + geometry.OutFirst + (long)run.Row * geometry.OutRow + (long)run.Column * geometry.OutStep;
                TilePacking.PackAColumns(outputGradient + at * outputs + column, (long)geometry.OutStep * outputs, Math.Min(columnsPerPart, outputs - column), run.Count, tileRows,
                    packed + (long)column * depth + (long)run.Begin * tileRows, (long)tileRows * depth);
            }
        });
    }

    /// <summary>Columns of the patches whose channels fill whole panels: tap by tap, each a stretch of the picture's pixels moved to one side, with zeros where that leaves the picture.</summary>
    private static void PackWidePatches(float* input, in ConvolutionGeometry g, long first, int depth, int column, int columns, float* panels)
    {
        var panelFloats = (long)depth * GemmTile.PanelColumns;
        for (int done = 0, width; done < columns; done += width, panels += width / GemmTile.PanelColumns * panelFloats)
        {
            int tap = (column + done) / g.Channels, channel = (column + done) % g.Channels;
            width = Math.Min(g.Channels - channel, columns - done);
            int i = tap / g.KernelWidth, j = tap % g.KernelWidth;
            foreach (var run in new PixelRuns(g, first, depth))
            {
                int h = run.Row * g.Stride - g.PadTop + i, left = j - g.PadLeft;
                // Output columns whose tap lies inside the picture.
                int begin = Math.Clamp(left >= 0 ? 0 : (-left + g.Stride - 1) / g.Stride, run.Column, run.Column + run.Count);
                int end = Math.Clamp(g.Width <= left ? 0 : (g.Width - 1 - left) / g.Stride + 1, begin, run.Column + run.Count);
                if ((uint)h >= (uint)g.Height) end = begin = run.Column;
                var at = panels + (long)run.Begin * GemmTile.PanelColumns;
                TilePacking.ClearBPanels(width / GemmTile.PanelColumns, begin - run.Column, at, panelFloats);
                if (end > begin)
                    TilePacking.PackBColumns(input + ((run.Picture * g.Height + h) * g.Width + begin * g.Stride + left) * g.Channels + channel, (long)g.Stride * g.Channels, width, end - begin,
                        at + (long)(begin - run.Column) * GemmTile.PanelColumns, panelFloats);
                TilePacking.ClearBPanels(width / GemmTile.PanelColumns, run.Column + run.Count - end, at + (long)(end - run.Column) * GemmTile.PanelColumns, panelFloats);
            }
        }
    }

    /// <summary>Patches of few channels, where a panel holds pieces of several taps: pixel by pixel, as a row that is then cut into panels.</summary>
    private void PackNarrowPatches(float* input, in ConvolutionGeometry s, long first, int depth, float* panels)
    {
        const int pixelsPerPart = 128;
        var geometry = s;
        var panelFloats = (long)depth * GemmTile.PanelColumns;
        int rowFloats = GemmTile.Groups(s.K) * GemmTile.Columns;
        RunParts((depth + pixelsPerPart - 1) / pixelsPerPart, (long)depth * s.K > ParallelPacking, part =>
        {
            var g = geometry;
            var row = sumScratch.Floats(rowFloats);
            new Span<float>(row, rowFloats).Clear();
            int run = g.KernelWidth * g.Channels, from = part * pixelsPerPart;
            foreach (var pixels in new PixelRuns(g, first + from, Math.Min(pixelsPerPart, depth - from)))
                for (var p = 0; p < pixels.Count; p++)
                {
                    int top = pixels.Row * g.Stride - g.PadTop, left = (pixels.Column + p) * g.Stride - g.PadLeft;
                    int begin = Math.Clamp(-left, 0, g.KernelWidth), end = Math.Clamp(g.Width - left, begin, g.KernelWidth);
                    for (var i = 0; i < g.KernelHeight; i++)
                    {
                        var to = new Span<float>(row + i * run, run);
                        if ((uint)(top + i) >= (uint)g.Height || begin == end)
                        {
                            to.Clear();
                            continue;
                        }
                        to[..(begin * g.Channels)].Clear();
                        new Span<float>(input + ((pixels.Picture * g.Height + top + i) * g.Width + left + begin) * g.Channels, (end - begin) * g.Channels).CopyTo(to[(begin * g.Channels)..]);
                        to[(end * g.Channels)..].Clear();
                    }
                    TilePacking.PackBColumns(row, 0, rowFloats, 1, panels + (from + pixels.Begin + p) * (long)GemmTile.PanelColumns, panelFloats);
                }
        });
    }
}
