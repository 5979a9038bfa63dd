using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class MatMulCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        foreach (var (m, n, k) in new[] { (1, 1, 1), (1, 33, 7), (2, 31, 300), (3, 64, 257), (5, 32, 256), (12, 37, 19), (13, 65, 512), (25, 96, 130), (97, 40, 33), (7, 5, 0), (0, 5, 3), (113, 129, 61) })
        {
            yield return Packed(m, n, k, Activation.None, bias: false, residual: false);
            foreach (var orientation in Orientations) yield return Plain(orientation with { M = m, N = n, K = k });
        }
        foreach (var activation in Enum.GetValues<Activation>())
            yield return Packed(14, 45, 70, activation, bias: true, residual: true);
        // Held in fewer bits: one row and several tiles, one block of k and several, columns that fill panels and that don't.
        foreach (var type in new[] { PackedType.BFloat16, PackedType.Int8 })
            foreach (var (m, n, k) in new[] { (1, 1, 1), (1, 64, 300), (2, 33, 257), (7, 45, 512), (13, 80, 600), (3, 5, 0) })
                yield return Packed(m, n, k, Activation.None, bias: true, residual: false, type: type);
        yield return Packed(4, 32, 16, Activation.None, bias: false, residual: true);
        foreach (var orientation in Orientations)
        {
            yield return Plain(orientation with { M = 13, N = 70, K = 300 }, residualInPlace: true);
            yield return Plain(orientation with { M = 50, N = 37, K = 29 }, Activation.Gelu, bias: true);
            // Around the width of a panel, the height of a tile and the blocks that are packed side by side.
            foreach (var (m, n, k) in new[] { (4, 15, 5), (6, 16, 255), (11, 17, 256), (24, 127, 3), (49, 128, 2), (95, 160, 1), (96, 31, 257) })
                yield return Plain(orientation with { M = m, N = n, K = k });
        }
        // Few rows that begin at multiples of 16 bytes where all memory is shifted by one float: whole vectors are read, in one round of a group's threads and in three.
        foreach (var (m, n, k) in new[] { (1, 9, 64), (11, 6, 1028) }) yield return Aligned(m, n, k);
        // Wide enough that a part has several groups of columns, more rows than a pass and deeper than a chunk; an odd number of panels at the end.
        yield return Plain(new MatMulShape(97, 234, 1030), Activation.Gelu, bias: true);
        yield return Plain(new MatMulShape(97, 234, 1030, TransposeB: true), residualInPlace: true);
        // So deep that B is packed in twenty chunks, or, where rows are more than columns, in two slices of one group.
        yield return Plain(new MatMulShape(2, 70, 20000), Activation.None, bias: true);
        yield return Plain(new MatMulShape(34, 33, 16400), Activation.None, bias: true);
        yield return Plain(new MatMulShape(3, 70, 20000, TransposeA: true, TransposeB: true), residualInPlace: true);
        foreach (var (m, n, k) in new[] { (1, 4096, 1024), (8, 4096, 1024), (64, 4096, 1024), (576, 4096, 1024), (2048, 4096, 1024), (8, 16384, 1024) })
            yield return Packed(m, n, k, Activation.None, bias: false, residual: false, large: true);
        // The GPT in training: forward, the gradients of an input, of a weight and of the head's.
        foreach (var shape in new MatMulShape[] { new(256, 4096, 1024), new(256, 1024, 4096, TransposeB: true), new(4096, 1024, 256, true, true), new(256, 1024, 16384, TransposeB: true), new(16384, 1024, 256, true, true) })
            yield return Plain(shape, large: true);
    }

    private static readonly MatMulShape[] Orientations = [new(0, 0, 0), new(0, 0, 0, TransposeB: true), new(0, 0, 0, TransposeA: true), new(0, 0, 0, true, true)];

    /// <summary>K products of standard normal values: a chain of n roundings errs by about sqrt(n)·2⁻²⁴ of the running sum's size, sqrt(n); five times that, and the epilogue's own rounding.</summary>
    private static Tolerance For(int k) => new(2e-6, 5 * (k + 4) * Math.ScaleB(1, -24), "random walk of k roundings, each of a sum of size sqrt(k), times five");

    private static OpWork Work(int m, int n, int k) => new("MatMul", 2.0 * m * n * k, 4.0 * ((double)m * k + (double)n * k + (double)m * n));

    private static OpCase Packed(int m, int n, int k, Activation activation, bool bias, bool residual, bool large = false, PackedType type = PackedType.Float32)
    {
        List<CaseBuffer> buffers = [CaseBuffer.Input("a", CaseData.Normal(m * k, 1)), CaseBuffer.Input("w", CaseData.Normal(n * k, 2)), CaseBuffer.Output("y", m * n)];
        if (bias) buffers.Add(CaseBuffer.Input("bias", CaseData.Normal(n, 3)));
        if (residual) buffers.Add(CaseBuffer.Input("residual", CaseData.Normal(m * n, 4)));
        return OpCase.Create<IMatMul>($"MatMul packed {m}x{n}x{k}{(type == PackedType.Float32 ? "" : $" {type}")} {activation}{(bias ? " bias" : "")}{(residual ? " residual" : "")}", buffers, For(k), Work(m, n, k), (op, args) =>
        {
            using var packed = op.AllocatePacked(n, k, type);
            // In two pieces, the first not a multiple of four rows: any split of the rows must do.
            var first = Math.Min(n, 3);
            op.PackRows(args.Host("w").AsSpan(0, first * k), 0, first, packed);
            op.PackRows(args.Host("w").AsSpan(first * k), first, n - first, packed);
            op.MatMul(args["a"], m, packed, new Epilogue { Bias = args["bias"], Activation = activation, Residual = args["residual"] }, args["y"]);
        }, large);
    }

    private static OpCase Aligned(int m, int n, int k)
    {
        List<CaseBuffer> buffers = [CaseBuffer.Input("a", CaseData.Normal(m * k + 3, 1)), CaseBuffer.Input("w", CaseData.Normal(n * k + 3, 2)), CaseBuffer.Input("bias", CaseData.Normal(n, 3)), CaseBuffer.InOut("y", CaseData.Normal(m * n, 5))];
        return OpCase.Create<IMatMul>($"MatMulPlain aligned {m}x{n}x{k} Gelu bias residual in place", buffers, For(k), Work(m, n, k),
            (op, args) => op.MatMulPlain(new MatMulShape(m, n, k), args["a"].Slice(3, m * k), args["w"].Slice(3, n * k), new Epilogue { Bias = args["bias"], Activation = Activation.Gelu, Residual = args["y"] }, args["y"]));
    }

    private static OpCase Plain(MatMulShape shape, Activation activation = Activation.None, bool bias = false, bool residualInPlace = false, bool large = false)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        // Large cases are not compared; uniform values are made in a fraction of the time.
        List<CaseBuffer> buffers =
        [
            CaseBuffer.Input("a", large ? CaseData.Uniform(m * k, 1, -1, 1) : CaseData.Normal(m * k, 1)),
            CaseBuffer.Input("w", large ? CaseData.Uniform(n * k, 2, -1, 1) : CaseData.Normal(n * k, 2)),
            residualInPlace ? CaseBuffer.InOut("y", CaseData.Normal(m * n, 5)) : CaseBuffer.Output("y", m * n),
        ];
        if (bias) buffers.Add(CaseBuffer.Input("bias", CaseData.Normal(n, 3)));
        var name = $"MatMulPlain {m}x{n}x{k} {(shape.TransposeA ? "At" : "A")}{(shape.TransposeB ? "Bt" : "B")} {activation}{(bias ? " bias" : "")}{(residualInPlace ? " residual in place" : "")}";
        return OpCase.Create<IMatMul>(name, buffers, For(k), Work(m, n, k),
            (op, args) => op.MatMulPlain(shape, args["a"], args["w"], new Epilogue { Bias = args["bias"], Activation = activation, Residual = residualInPlace ? args["y"] : default }, args["y"]), large);
    }
}
