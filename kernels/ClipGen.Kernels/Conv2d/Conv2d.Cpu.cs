namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IConv2d
{
    // Patches of one pass, in floats: half of a 1 MiB second-level cache, the rest is for the filter's blocks.
    private const int PatchFloats = 128 << 10;

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

        var level = Simd;
        var tileRows = GemmTile.Rows(level);
        float* x = Pointer(input), y = Pointer(output), bias = Pointer(epilogue.Bias), residual = Pointer(epilogue.Residual);
        var activation = epilogue.Activation;
        var panels = Pointer(new View<float>(filter.Memory, 0, filter.Memory.ByteLength / 4));
        var panelCount = GemmTile.Panels(n);

        // A strip: consecutive output pixels of one picture whose patches fit the cache together.
        var stripTiles = Math.Clamp(PatchFloats / (k * tileRows), 1, TilesPerPass);
        var stripPixels = stripTiles * tileRows;
        var strips = (pixels + stripPixels - 1) / stripPixels;
        // Small pictures give few strips: then several parts share a strip's columns (each packs the patches again, which is cheap beside a wide product).
        var groups = strips * s.Batch >= 4 * Workers.Threads ? 1 : Math.Clamp(4 * Workers.Threads / (strips * s.Batch), 1, Math.Max(1, panelCount / 4));
        var perGroup = (panelCount + groups - 1) / groups;
        groups = (panelCount + perGroup - 1) / perGroup;
        Workers.For(checked(s.Batch * strips * groups), part =>
        {
            var group = part % groups;
            var strip = part / groups % strips;
            var picture = part / groups / strips;
            var firstPixel = strip * stripPixels;
            var rows = Math.Min(stripPixels, pixels - firstPixel);
            var patches = rowScratch.Floats((long)stripTiles * tileRows * k + 16);
            var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
            Conv2dPatches.Pack(x + (long)picture * s.Height * s.Width * s.InChannels, s, firstPixel, rows, tileRows, patches);
            var at = (long)picture * pixels + firstPixel;
            for (var panel = group * perGroup; panel < Math.Min(panelCount, (group + 1) * perGroup); panel++)
            {
                var column = panel * GemmTile.Columns;
                GemmTile.MultiplyTiles(level, patches, rows, k, panels + (long)column * k, sums);
                EpilogueKernel.Store(level, sums, rows, Math.Min(GemmTile.Columns, n - column), bias == null ? null : bias + column, activation,
                    residual == null ? null : residual + at * n + column, y + at * n + column, n);
            }
        });
    }
}
