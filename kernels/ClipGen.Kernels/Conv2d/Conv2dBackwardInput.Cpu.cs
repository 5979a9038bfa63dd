namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend
{
    // Gradients of patches that are made at once before they are put into the picture, in floats: 4 MiB.
    private const int PatchGradientFloats = 1 << 20;

    /// <inheritdoc/>
    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient)
    {
        shape.Require();
        Arguments.Length(outputGradient, (long)shape.Batch * checked(shape.OutHeight * shape.OutWidth) * shape.OutChannels);
        Arguments.Length(filter, (long)shape.OutChannels * shape.K);
        Arguments.Length(inputGradient, (long)shape.Batch * shape.Height * shape.Width * shape.InChannels);
        if (shape.Batch == 0) return;
        if (IsProduct(shape))
        {
            MatMulPlain(new MatMulShape(checked(shape.Batch * shape.OutHeight * shape.OutWidth), shape.InChannels, shape.OutChannels, TransposeB: true), outputGradient, filter, default, inputGradient);
        }
        else if (shape is { Upsample: 1, Stride: > 1 } && shape.Kernel <= shape.Stride)
        {
            ScatterPatches(outputGradient, shape, Pointer(filter), inputGradient);
        }
        else if (shape.Upsample == 1)
        {
            ConvolveBack(outputGradient, shape, Pointer(filter), shape.Kernel, shape.PadBefore, inputGradient);
        }
        else
        {
            // The gradient of a pixel is the sum over its 2x2 copies: the same convolution with the filter added to itself one step aside.
            var kernel = shape.Kernel + 1;
            using var memory = Allocate(4L * shape.OutChannels * kernel * kernel * shape.InChannels);
            var widened = Pointer(new View<float>(memory, 0, memory.ByteLength / 4));
            WidenFilter(Pointer(filter), shape.OutChannels, shape.Kernel, shape.InChannels, widened);
            ConvolveBack(outputGradient, shape, widened, kernel, shape.PadBefore + 1, inputGradient);
        }
    }

    /// <summary>
    /// The gradient as convolutions of the output's gradient. Row h = s·q + r of the input is read by output row (u·h + padding − i) / s through the filter's row i, where that divides:
    /// so each of the s·s phases (r, and the same for columns) has its own part of the filter, every s-th row and column of it backwards,
    /// and is a convolution with step u whose results lie s pixels apart.
    /// </summary>
    private void ConvolveBack(View<float> outputGradient, in Conv2dShape s, float* filter, int kernel, int padding, View<float> inputGradient)
    {
        var step = s.Stride;
        // Pixels of a phase without taps were read by no output.
        if (kernel < step) Span(inputGradient.Slice(0, (long)s.Batch * s.Height * s.Width * s.InChannels)).Clear();
        for (var r = 0; r < Math.Min(step, s.Height); r++)
        {
            var rows = new PhaseTaps(kernel, s.Upsample * r + padding, step);
            for (var c = 0; c < Math.Min(step, s.Width); c++)
            {
                var columns = new PhaseTaps(kernel, s.Upsample * c + padding, step);
                if (rows.Count == 0 || columns.Count == 0) continue;
                using var packed = AllocatePacked(s.InChannels, checked(rows.Count * columns.Count * s.OutChannels));
                PackTurnedFilter(filter, kernel, step, s.OutChannels, s.InChannels, rows, columns, PanelsOf(packed));
                Convolve(outputGradient, new ConvolutionGeometry
                {
                    Height = s.OutHeight,
                    Width = s.OutWidth,
                    Channels = s.OutChannels,
                    KernelHeight = rows.Count,
                    KernelWidth = columns.Count,
                    Stride = s.Upsample,
                    PadTop = rows.Padding,
                    PadLeft = columns.Padding,
                    OutHeight = (s.Height - r + step - 1) / step,
                    OutWidth = (s.Width - c + step - 1) / step,
                    OutFirst = r * s.Width + c,
                    OutStep = step,
                    OutRow = step * s.Width,
                    OutPixels = s.Height * s.Width,
                }, s.Batch, PanelsOf(packed), s.InChannels, default, inputGradient);
            }
        }
    }

    /// <summary>The rows (or columns) of the filter that belong to one phase: every step-th one, from the last on backwards.</summary>
    private readonly struct PhaseTaps
    {
        /// <param name="kernel">Rows of the filter.</param>
        /// <param name="offset">Remainder class of the phase: its taps are those i with i ≡ offset modulo the step.</param>
        /// <param name="step">Step of the convolution.</param>
        public PhaseTaps(int kernel, int offset, int step)
        {
            Last = kernel - 1 - ((kernel - 1 - offset) % step + step) % step;
            Count = Last < 0 ? 0 : Last / step + 1;
            Padding = (Last - offset) / step;
        }

        public int Last { get; }

        public int Count { get; }

        /// <summary>Rows of the output above the first one that the phase's first pixel reads; negative where that lies below the first row.</summary>
        public int Padding { get; }
    }

    /// <summary>Packs the taps of a phase as a [I, rows·columns·O] operand: turned by 180 degrees, inputs and outputs exchanged.</summary>
    private void PackTurnedFilter(float* filter, int kernel, int step, int outputs, int inputs, PhaseTaps rows, PhaseTaps columns, float* panels)
    {
        const int outputsPerPart = 64;
        var panelFloats = (long)rows.Count * columns.Count * outputs * GemmTile.PanelColumns;
        var blocks = (outputs + outputsPerPart - 1) / outputsPerPart;
        var filterFloats = (long)kernel * kernel * inputs;
        RunParts(rows.Count * columns.Count * blocks, panelFloats * inputs > ParallelPacking * GemmTile.PanelColumns, part =>
        {
            int tap = part / blocks, first = part % blocks * outputsPerPart;
            int i = rows.Last - tap / columns.Count * step, j = columns.Last - tap % columns.Count * step;
            TilePacking.PackBColumns(filter + first * filterFloats + ((long)i * kernel + j) * inputs, filterFloats, inputs, Math.Min(outputsPerPart, outputs - first),
                panels + ((long)tap * outputs + first) * GemmTile.PanelColumns, panelFloats);
        });
    }

    /// <summary>The filter over the small picture that stands for a filter over the enlarged one: <c>wide[i] = Σ w[i − 1 + a]</c> over the two copies a = 0, 1 of a row, the same for columns.</summary>
    private void WidenFilter(float* filter, int outputs, int kernel, int channels, float* widened)
    {
        var level = Simd;
        int run = checked(kernel * channels), wideRow = checked((kernel + 1) * channels);
        RunParts(outputs, (long)outputs * kernel * run > ParallelPacking, o =>
        {
            var wide = widened + (long)o * (kernel + 1) * wideRow;
            new Span<float>(wide, checked((kernel + 1) * wideRow)).Clear();
            for (var i = 0; i < kernel; i++)
                for (var copy = 0; copy < 4; copy++)
                {
                    var to = wide + (long)(i + copy / 2) * wideRow + copy % 2 * channels;
                    ElementwiseKernel.Combine<AddPair>(level, filter + ((long)o * kernel + i) * run, to, run, to);
                }
        });
    }

    /// <summary>Patches that do not overlap: one product makes the gradients of all their pixels, which are then put where they belong.</summary>
    private void ScatterPatches(View<float> outputGradient, in Conv2dShape shape, float* filter, View<float> inputGradient)
    {
        var s = shape;
        int k = s.K, outputs = s.OutChannels, channels = s.InChannels, outWidth = s.OutWidth, outPixels = checked(s.OutHeight * s.OutWidth);
        var pixels = (long)s.Batch * outPixels;
        float* dy = Pointer(outputGradient), dx = Pointer(inputGradient);
        if (s is not { PadBefore: 0, PadAfter: 0 } || s.Kernel < s.Stride || s.Height % s.Stride != 0 || s.Width % s.Stride != 0)
            Span(inputGradient.Slice(0, (long)s.Batch * s.Height * s.Width * channels)).Clear();

        using var packed = AllocatePacked(k, outputs);
        PackPlainColumns(filter, k, k, outputs, PanelsOf(packed));
        var block = (int)Math.Clamp(PatchGradientFloats / k, 1, pixels);
        using var memory = Allocate(4L * block * k);
        var gradients = new View<float>(memory, 0, (long)block * k);
        var patches = Pointer(gradients);
        for (var first = 0L; first < pixels; first += block)
        {
            var count = (int)Math.Min(block, pixels - first);
            var rows = TilesOf(dy + first * outputs, count, outputs, transposed: false, k);
            MultiplyPanels(rows, count, outputs, PackedPanels.OfFloats(PanelsOf(packed), outputs), new ProductOutput(default, gradients, k), k);
            var start = first;
            RunParts(count, (long)count * k > ParallelPacking, p =>
            {
                var pixel = (int)((start + p) % outPixels);
                var picture = dx + (start + p) / outPixels * s.Height * s.Width * channels;
                int top = pixel / outWidth * s.Stride - s.PadBefore, left = pixel % outWidth * s.Stride - s.PadBefore;
                int from = Math.Max(0, -left), to = Math.Min(s.Kernel, s.Width - left);
                if (from >= to) return;
                for (var i = Math.Max(0, -top); i < Math.Min(s.Kernel, s.Height - top); i++)
                    new Span<float>(patches + (long)p * k + (i * s.Kernel + from) * channels, (to - from) * channels)
                        .CopyTo(new Span<float>(picture + ((long)(top + i) * s.Width + left + from) * channels, (to - from) * channels));
            });
        }
    }
}
