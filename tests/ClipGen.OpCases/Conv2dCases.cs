using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class Conv2dCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        yield return Case(new() { Batch = 2, Height = 5, Width = 7, InChannels = 3, OutChannels = 33, Kernel = 3, PadBefore = 1, PadAfter = 1 });
        yield return Case(new() { Batch = 1, Height = 9, Width = 6, InChannels = 34, OutChannels = 5, Kernel = 3, PadBefore = 1, PadAfter = 1 }, Activation.Silu, bias: true, residual: true);
        yield return Case(new() { Batch = 2, Height = 8, Width = 10, InChannels = 5, OutChannels = 4, Kernel = 3, Stride = 2, PadAfter = 1 }, bias: true);
        yield return Case(new() { Batch = 1, Height = 10, Width = 8, InChannels = 3, OutChannels = 8, Kernel = 4, Stride = 2, PadBefore = 1, PadAfter = 1 }, Activation.LeakyRelu);
        yield return Case(new() { Batch = 1, Height = 6, Width = 7, InChannels = 9, OutChannels = 1, Kernel = 4, Stride = 1, PadBefore = 1, PadAfter = 1 });
        yield return Case(new() { Batch = 3, Height = 4, Width = 5, InChannels = 6, OutChannels = 40, Kernel = 1 }, Activation.Relu, bias: true);
        yield return Case(new() { Batch = 2, Height = 4, Width = 3, InChannels = 7, OutChannels = 6, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, bias: true);
        yield return Case(new() { Batch = 2, Height = 16, Width = 24, InChannels = 3, OutChannels = 10, Kernel = 8, Stride = 8 });
        yield return Case(new() { Batch = 1, Height = 3, Width = 3, InChannels = 2, OutChannels = 3, Kernel = 3 });
        yield return Case(new() { Batch = 1, Height = 1, Width = 1, InChannels = 1, OutChannels = 1, Kernel = 3, PadBefore = 1, PadAfter = 1 });
        yield return Case(new() { Batch = 1, Height = 4, Width = 7, InChannels = 130, OutChannels = 70, Kernel = 3, PadBefore = 1, PadAfter = 1 });
        // Wide enough that whole tiles lie inside the picture and are read in place, at every vector width.
        yield return Case(new() { Batch = 2, Height = 4, Width = 41, InChannels = 5, OutChannels = 19, Kernel = 3, PadBefore = 1, PadAfter = 1 }, bias: true);
        yield return Case(new() { Batch = 1, Height = 5, Width = 29, InChannels = 100, OutChannels = 37, Kernel = 4, PadBefore = 1, PadAfter = 1 }, Activation.Silu, residual: true);
        yield return Case(new() { Batch = 1, Height = 8, Width = 64, InChannels = 7, OutChannels = 35, Kernel = 3, Stride = 2, PadAfter = 1 });
        yield return Case(new() { Batch = 1, Height = 7, Width = 33, InChannels = 2, OutChannels = 3, Kernel = 4, PadBefore = 1, PadAfter = 1 });
        // Nearest x2: small, wide with all parts of the epilogue, several blocks of k, and a filter that takes the general way.
        yield return Case(new() { Batch = 2, Height = 3, Width = 27, InChannels = 6, OutChannels = 21, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, Activation.Silu, bias: true, residual: true);
        yield return Case(new() { Batch = 1, Height = 2, Width = 3, InChannels = 140, OutChannels = 40, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 });
        yield return Case(new() { Batch = 1, Height = 4, Width = 5, InChannels = 3, OutChannels = 7, Kernel = 4, PadBefore = 1, PadAfter = 1, Upsample = 2 });
        // Large enough to go by tiles of 4x4 outputs: whole and cut off tiles, odd channels, margins of either kind, nearest x2.
        yield return Case(new() { Batch = 1, Height = 32, Width = 32, InChannels = 16, OutChannels = 16, Kernel = 3, PadBefore = 1, PadAfter = 1 });
        yield return Case(new() { Batch = 2, Height = 33, Width = 35, InChannels = 21, OutChannels = 35, Kernel = 3, PadBefore = 1, PadAfter = 1 }, Activation.Silu, bias: true, residual: true);
        yield return Case(new() { Batch = 1, Height = 31, Width = 40, InChannels = 17, OutChannels = 16, Kernel = 3, PadBefore = 2 }, bias: true);
        yield return Case(new() { Batch = 1, Height = 36, Width = 33, InChannels = 16, OutChannels = 18, Kernel = 3 }, residual: true);
        yield return Case(new() { Batch = 2, Height = 16, Width = 17, InChannels = 18, OutChannels = 20, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, Activation.Relu, bias: true);
        yield return Plain(new() { Batch = 1, Height = 32, Width = 33, InChannels = 16, OutChannels = 33, Kernel = 3, PadBefore = 1, PadAfter = 1 }, bias: true, residual: true);
        // Small pictures: filters in two blocks of channels, transformed for 32 output channels at a time, over several pictures, nearest x2.
        yield return Case(new() { Batch = 1, Height = 8, Width = 8, InChannels = 16, OutChannels = 16, Kernel = 3, PadBefore = 1, PadAfter = 1 });
        yield return Case(new() { Batch = 3, Height = 9, Width = 7, InChannels = 300, OutChannels = 70, Kernel = 3, PadBefore = 1, PadAfter = 1 }, Activation.Silu, bias: true, residual: true);
        yield return Case(new() { Batch = 2, Height = 5, Width = 4, InChannels = 34, OutChannels = 97, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, bias: true);
        // Nothing to do: gradients of a filter without pictures are zeros.
        foreach (var test in Gradients(new() { Batch = 0, Height = 4, Width = 4, InChannels = 3, OutChannels = 5, Kernel = 3 })) yield return test;
        foreach (var shape in GradientShapes())
            foreach (var test in Gradients(shape))
                yield return test;
        yield return Plain(new() { Batch = 2, Height = 5, Width = 7, InChannels = 3, OutChannels = 33, Kernel = 3, PadBefore = 1, PadAfter = 1 }, Activation.Silu, bias: true, residual: true);
        yield return Plain(new() { Batch = 2, Height = 4, Width = 9, InChannels = 34, OutChannels = 5, Kernel = 1 }, Activation.Relu, bias: true);
        yield return Plain(new() { Batch = 1, Height = 6, Width = 9, InChannels = 5, OutChannels = 40, Kernel = 4, Stride = 2, PadBefore = 1, PadAfter = 1 });
        yield return Plain(new() { Batch = 1, Height = 3, Width = 27, InChannels = 6, OutChannels = 21, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, bias: true, residual: true);
        yield return Plain(new() { Batch = 1, Height = 4, Width = 5, InChannels = 3, OutChannels = 7, Kernel = 2, Stride = 3, PadBefore = 1, Upsample = 2 });
        foreach (var (size, from, to) in new[] { (256, 128, 128), (64, 256, 256), (16, 512, 512), (256, 3, 128), (256, 128, 3) })
            foreach (var test in Gradients(new() { Batch = 1, Height = size, Width = size, InChannels = from, OutChannels = to, Kernel = 3, PadBefore = 1, PadAfter = 1 }, large: true))
                yield return test;
        foreach (var test in Gradients(new() { Batch = 1, Height = 128, Width = 128, InChannels = 128, OutChannels = 128, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, large: true)) yield return test;
        foreach (var (size, from, to) in new[] { (256, 128, 128), (128, 256, 128), (64, 256, 256), (16, 512, 512), (256, 128, 3) })
            yield return Case(new() { Batch = 1, Height = size, Width = size, InChannels = from, OutChannels = to, Kernel = 3, PadBefore = 1, PadAfter = 1 }, large: true);
    }

    private static IEnumerable<Conv2dShape> GradientShapes() =>
    [
        new() { Batch = 1, Height = 1, Width = 1, InChannels = 1, OutChannels = 1, Kernel = 1 },
        new() { Batch = 1, Height = 3, Width = 3, InChannels = 2, OutChannels = 3, Kernel = 3 },
        new() { Batch = 2, Height = 5, Width = 7, InChannels = 3, OutChannels = 33, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 6, Width = 31, InChannels = 35, OutChannels = 3, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 3, Height = 4, Width = 5, InChannels = 6, OutChannels = 40, Kernel = 1 },
        // Channels that fill panels, an odd number of them, and more than are packed side by side.
        new() { Batch = 2, Height = 5, Width = 6, InChannels = 16, OutChannels = 7, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 4, Width = 33, InChannels = 48, OutChannels = 13, Kernel = 1 },
        new() { Batch = 1, Height = 3, Width = 4, InChannels = 144, OutChannels = 17, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        // Steps of two: the downsampling of the VQ-GAN and of the discriminator, with sizes that do not divide, and its last layer.
        new() { Batch = 2, Height = 8, Width = 10, InChannels = 5, OutChannels = 4, Kernel = 3, Stride = 2, PadAfter = 1 },
        new() { Batch = 1, Height = 9, Width = 30, InChannels = 16, OutChannels = 33, Kernel = 3, Stride = 2, PadAfter = 1 },
        new() { Batch = 1, Height = 10, Width = 8, InChannels = 3, OutChannels = 8, Kernel = 4, Stride = 2, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 7, Width = 9, InChannels = 32, OutChannels = 6, Kernel = 4, Stride = 2, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 6, Width = 7, InChannels = 32, OutChannels = 1, Kernel = 4, PadBefore = 1, PadAfter = 1 },
        // Patches that do not overlap: those of CLIP, with a margin, with pixels that none of them reads.
        new() { Batch = 2, Height = 16, Width = 24, InChannels = 3, OutChannels = 10, Kernel = 8, Stride = 8 },
        new() { Batch = 2, Height = 9, Width = 11, InChannels = 2, OutChannels = 5, Kernel = 3, Stride = 4, PadBefore = 1, PadAfter = 2 },
        new() { Batch = 1, Height = 5, Width = 4, InChannels = 17, OutChannels = 3, Kernel = 1, Stride = 2 },
        // Steps and margins that no model has: a step of three, a margin as wide as the filter, a filter as large as the picture.
        new() { Batch = 2, Height = 11, Width = 8, InChannels = 4, OutChannels = 5, Kernel = 5, Stride = 3, PadBefore = 2, PadAfter = 3 },
        new() { Batch = 1, Height = 3, Width = 4, InChannels = 2, OutChannels = 3, Kernel = 2, PadBefore = 3, PadAfter = 2 },
        new() { Batch = 1, Height = 2, Width = 3, InChannels = 16, OutChannels = 2, Kernel = 1, PadBefore = 1 },
        new() { Batch = 2, Height = 4, Width = 4, InChannels = 3, OutChannels = 2, Kernel = 4 },
        // Nearest x2: the decoder's, wide, and with other filters and steps.
        new() { Batch = 2, Height = 4, Width = 3, InChannels = 7, OutChannels = 6, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 },
        new() { Batch = 1, Height = 3, Width = 27, InChannels = 32, OutChannels = 21, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 },
        new() { Batch = 1, Height = 4, Width = 5, InChannels = 3, OutChannels = 7, Kernel = 4, PadBefore = 1, PadAfter = 1, Upsample = 2 },
        new() { Batch = 2, Height = 3, Width = 4, InChannels = 5, OutChannels = 4, Kernel = 3, Stride = 2, PadAfter = 1, Upsample = 2 },
        new() { Batch = 1, Height = 5, Width = 4, InChannels = 3, OutChannels = 4, Kernel = 5, Stride = 3, PadBefore = 2, PadAfter = 1, Upsample = 2 },
        new() { Batch = 1, Height = 4, Width = 5, InChannels = 2, OutChannels = 3, Kernel = 1, Stride = 3, PadBefore = 1, Upsample = 2 },
        // By tiles of 4x4, as the convolution itself.
        new() { Batch = 2, Height = 33, Width = 32, InChannels = 16, OutChannels = 19, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 2, Height = 6, Width = 9, InChannels = 65, OutChannels = 20, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        // More pixels than the gradient of the filter takes at once, 4096, over the border of two pictures: of few channels, and of many, a part's share of which ends inside a tap; and many channels with few pixels.
        new() { Batch = 2, Height = 46, Width = 47, InChannels = 3, OutChannels = 5, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 2, Height = 46, Width = 47, InChannels = 112, OutChannels = 2, Kernel = 3, PadBefore = 1, PadAfter = 1 },
        new() { Batch = 1, Height = 14, Width = 19, InChannels = 512, OutChannels = 2, Kernel = 3, PadBefore = 1, PadAfter = 1 },
    ];

    private static string Name(string op, in Conv2dShape s) =>
        $"{op} {s.Batch}x{s.Height}x{s.Width} {s.InChannels}->{s.OutChannels} k{s.Kernel} s{s.Stride} p{s.PadBefore}/{s.PadAfter} u{s.Upsample}";

    private static float[] Values(int length, int seed, bool large) => large ? CaseData.Uniform(length, seed, -1, 1) : CaseData.Normal(length, seed);

    /// <summary>Both gradients of a convolution. Large cases are not compared; their uniform values are made in a fraction of the time.</summary>
    private static IEnumerable<OpCase> Gradients(Conv2dShape shape, bool large = false)
    {
        int pixels = shape.Batch * shape.OutHeight * shape.OutWidth, inputs = shape.Batch * shape.Height * shape.Width * shape.InChannels;
        var dy = CaseBuffer.Input("dy", Values(pixels * shape.OutChannels, 3, large));
        // A pixel's gradient has at most a term for each tap, output channel and copy of the pixel.
        var terms = shape.Kernel * shape.Kernel * shape.OutChannels * shape.Upsample * shape.Upsample;
        yield return OpCase.Create<IConv2d>(Name("Conv2dBackwardInput", shape), [dy, CaseBuffer.Input("w", Values(shape.OutChannels * shape.K, 2, large)), CaseBuffer.Output("dx", inputs)],
            For(terms, IsTiled(shape with { InChannels = shape.OutChannels, OutChannels = shape.InChannels })), shape.Work with { Op = "Conv2dBackwardInput" },
            (op, args) => op.Conv2dBackwardInput(args["dy"], shape, args["w"], args["dx"]), large);
        // Off zero, as pictures and activations are: the sums then grow with the number of pixels, not with its root.
        var x = Values(inputs, 1, large);
        for (var i = 0; i < x.Length; i++) x[i] += 0.5f;
        yield return OpCase.Create<IConv2d>(Name("Conv2dBackwardFilter", shape), [CaseBuffer.Input("x", x), dy, CaseBuffer.Output("dw", shape.OutChannels * shape.K)],
            new Tolerance(2e-6, 5 * Math.Sqrt(1.25 * pixels) * Math.Sqrt(Math.Min(pixels, 256) + pixels / 256.0 + 4) * Math.ScaleB(1, -24),
                "random walk of the roundings in a block of 256 pixels and between the blocks, each of a sum of size sqrt(1.25 · pixels), times five"), shape.Work with { Op = "Conv2dBackwardFilter" },
            (op, args) => op.Conv2dBackwardFilter(args["x"], shape, args["dy"], args["dw"]), large);
    }

    private static OpCase Plain(Conv2dShape shape, Activation activation = Activation.None, bool bias = false, bool residual = false)
    {
        var outputs = shape.Batch * shape.OutHeight * shape.OutWidth * shape.OutChannels;
        List<CaseBuffer> buffers =
        [
            CaseBuffer.Input("x", CaseData.Normal(shape.Batch * shape.Height * shape.Width * shape.InChannels, 1)),
            CaseBuffer.Input("w", CaseData.Normal(shape.OutChannels * shape.K, 2)),
            residual ? CaseBuffer.InOut("y", CaseData.Normal(outputs, 4)) : CaseBuffer.Output("y", outputs),
        ];
        if (bias) buffers.Add(CaseBuffer.Input("bias", CaseData.Normal(shape.OutChannels, 3)));
        return OpCase.Create<IConv2d>($"{Name("Conv2dPlain", shape)} {activation}{(bias ? " bias" : "")}{(residual ? " residual in place" : "")}", buffers, For(shape), shape.Work,
            (op, args) => op.Conv2dPlain(args["x"], shape, args["w"], new Epilogue { Bias = args["bias"], Activation = activation, Residual = residual ? args["y"] : default }, args["y"]));
    }

    private static Tolerance For(in Conv2dShape shape) => For(shape.K, IsTiled(shape));

    private static Tolerance For(int terms, bool tiled) => tiled
        ? new(2e-6, 10 * (terms + 4) * Math.ScaleB(1, -24), "random walk of a rounding per term, each of a sum of size sqrt(terms), times five, and as much again for the transforms of tiles")
        : new(2e-6, 5 * (terms + 4) * Math.ScaleB(1, -24), "random walk of a rounding per term, each of a sum of size sqrt(terms), times five");

    // A backend may compute these by tiles of 4x4 outputs and their transforms (Winograd).
    private static bool IsTiled(in Conv2dShape s) => s is { Kernel: 3, Stride: 1, InChannels: >= 16, OutChannels: >= 16 } && (s.OutHeight + 3) / 4 * ((s.OutWidth + 3) / 4) >= 4;

    private static OpCase Case(Conv2dShape shape, Activation activation = Activation.None, bool bias = false, bool residual = false, bool large = false)
    {
        var outputs = shape.Batch * shape.OutHeight * shape.OutWidth * shape.OutChannels;
        List<CaseBuffer> buffers =
        [
            CaseBuffer.Input("x", CaseData.Normal(shape.Batch * shape.Height * shape.Width * shape.InChannels, 1)),
            CaseBuffer.Input("w", CaseData.Normal(shape.OutChannels * shape.K, 2)),
            CaseBuffer.Output("y", outputs),
        ];
        if (bias) buffers.Add(CaseBuffer.Input("bias", CaseData.Normal(shape.OutChannels, 3)));
        if (residual) buffers.Add(CaseBuffer.Input("residual", CaseData.Normal(outputs, 4)));
        var name = $"{Name("Conv2d", shape)} {activation}{(bias ? " bias" : "")}{(residual ? " residual" : "")}";
        return OpCase.Create<IConv2d>(name, buffers, For(shape), shape.Work, (op, args) =>
        {
            // Filters are packed by the product's interface; a backend implements both.
            var packer = (IMatMul)op;
            using var packed = packer.AllocatePacked(shape.OutChannels, shape.K);
            packer.PackRows(args.Host("w"), 0, shape.OutChannels, packed);
            op.Conv2d(args["x"], shape, packed, new Epilogue { Bias = args["bias"], Activation = activation, Residual = args["residual"] }, args["y"]);
        }, large);
    }
}
