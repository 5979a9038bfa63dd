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
        yield return Case(new() { Batch = 1, Height = 5, Width = 5, InChannels = 130, OutChannels = 70, Kernel = 3, PadBefore = 1, PadAfter = 1 });
        // Wide enough that whole tiles lie inside the picture and are read in place, at every vector width.
        yield return Case(new() { Batch = 2, Height = 4, Width = 41, InChannels = 5, OutChannels = 19, Kernel = 3, PadBefore = 1, PadAfter = 1 }, bias: true);
        yield return Case(new() { Batch = 1, Height = 5, Width = 29, InChannels = 100, OutChannels = 37, Kernel = 3, PadBefore = 1, PadAfter = 1 }, Activation.Silu, residual: true);
        yield return Case(new() { Batch = 1, Height = 8, Width = 64, InChannels = 7, OutChannels = 35, Kernel = 3, Stride = 2, PadAfter = 1 });
        yield return Case(new() { Batch = 1, Height = 7, Width = 33, InChannels = 2, OutChannels = 3, Kernel = 4, PadBefore = 1, PadAfter = 1 });
        // Nearest x2: small, wide with all parts of the epilogue, several blocks of k, and a filter that takes the general way.
        yield return Case(new() { Batch = 2, Height = 3, Width = 27, InChannels = 6, OutChannels = 21, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 }, Activation.Silu, bias: true, residual: true);
        yield return Case(new() { Batch = 1, Height = 5, Width = 6, InChannels = 140, OutChannels = 40, Kernel = 3, PadBefore = 1, PadAfter = 1, Upsample = 2 });
        yield return Case(new() { Batch = 1, Height = 4, Width = 5, InChannels = 3, OutChannels = 7, Kernel = 4, PadBefore = 1, PadAfter = 1, Upsample = 2 });
        foreach (var (size, from, to) in new[] { (256, 128, 128), (128, 256, 128), (64, 256, 256), (16, 512, 512), (256, 128, 3) })
            yield return Case(new() { Batch = 1, Height = size, Width = size, InChannels = from, OutChannels = to, Kernel = 3, PadBefore = 1, PadAfter = 1 }, large: true);
    }

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
        var name = $"Conv2d {shape.Batch}x{shape.Height}x{shape.Width} {shape.InChannels}->{shape.OutChannels} k{shape.Kernel} s{shape.Stride} p{shape.PadBefore}/{shape.PadAfter} u{shape.Upsample} {activation}{(bias ? " bias" : "")}{(residual ? " residual" : "")}";
        return OpCase.Create<IConv2d>(name, buffers, new Tolerance(2e-6, 5 * (shape.K + 4) * Math.ScaleB(1, -24), "random walk of K roundings, each of a sum of size sqrt(K), times five"), shape.Work, (op, args) =>
        {
            // Filters are packed by the product's interface; a backend implements both.
            var packer = (IMatMul)op;
            using var packed = packer.AllocatePacked(shape.OutChannels, shape.K);
            packer.PackRows(args.Host("w"), 0, shape.OutChannels, packed);
            op.Conv2d(args["x"], shape, packed, new Epilogue { Bias = args["bias"], Activation = activation, Residual = args["residual"] }, args["y"]);
        }, large);
    }
}
