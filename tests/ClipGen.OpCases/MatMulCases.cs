using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class MatMulCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        foreach (var (m, n, k) in new[] { (1, 1, 1), (1, 33, 7), (2, 31, 300), (3, 64, 257), (5, 32, 256), (12, 37, 19), (13, 65, 512), (25, 96, 130), (97, 40, 33), (7, 5, 0), (0, 5, 3), (113, 129, 61) })
        {
            yield return Packed(m, n, k, Activation.None, bias: false, residual: false);
            yield return Plain(m, n, k);
        }
        foreach (var activation in Enum.GetValues<Activation>())
            yield return Packed(14, 45, 70, activation, bias: true, residual: true);
        yield return Packed(4, 32, 16, Activation.None, bias: false, residual: true);
        yield return InPlaceResidual(13, 70, 300);
        foreach (var (m, n, k) in new[] { (1, 4096, 1024), (8, 4096, 1024), (64, 4096, 1024), (576, 4096, 1024), (2048, 4096, 1024), (8, 16384, 1024) })
            yield return Packed(m, n, k, Activation.None, bias: false, residual: false, large: true);
    }

    /// <summary>K products of standard normal values: a chain of n roundings errs by about sqrt(n)·2⁻²⁴ of the running sum's size, sqrt(n); five times that, and the epilogue's own rounding.</summary>
    private static Tolerance For(int k) => new(2e-6, 5 * (k + 4) * Math.ScaleB(1, -24), "random walk of k roundings, each of a sum of size sqrt(k), times five");

    private static OpWork Work(int m, int n, int k) => new("MatMul", 2.0 * m * n * k, 4.0 * ((double)m * k + (double)n * k + (double)m * n));

    private static OpCase Packed(int m, int n, int k, Activation activation, bool bias, bool residual, bool large = false)
    {
        List<CaseBuffer> buffers = [CaseBuffer.Input("a", CaseData.Normal(m * k, 1)), CaseBuffer.Input("w", CaseData.Normal(n * k, 2)), CaseBuffer.Output("y", m * n)];
        if (bias) buffers.Add(CaseBuffer.Input("bias", CaseData.Normal(n, 3)));
        if (residual) buffers.Add(CaseBuffer.Input("residual", CaseData.Normal(m * n, 4)));
        return OpCase.Create<IMatMul>($"MatMul packed {m}x{n}x{k} {activation}{(bias ? " bias" : "")}{(residual ? " residual" : "")}", buffers, For(k), Work(m, n, k), (op, args) =>
        {
            using var packed = op.AllocatePacked(n, k);
            // In two pieces, the first not a multiple of four rows: any split of the rows must do.
            var first = Math.Min(n, 3);
            op.PackRows(args.Host("w").AsSpan(0, first * k), 0, first, packed);
            op.PackRows(args.Host("w").AsSpan(first * k), first, n - first, packed);
            op.MatMul(args["a"], m, packed, new Epilogue { Bias = args["bias"], Activation = activation, Residual = args["residual"] }, args["y"]);
        }, large);
    }

    private static OpCase Plain(int m, int n, int k) =>
        OpCase.Create<IMatMul>($"MatMul plain {m}x{n}x{k}",
            [CaseBuffer.Input("a", CaseData.Normal(m * k, 1)), CaseBuffer.Input("w", CaseData.Normal(n * k, 2)), CaseBuffer.Output("y", m * n)],
            For(k), Work(m, n, k), (op, args) => op.MatMul(args["a"], args["w"], m, n, k, default, args["y"]));

    private static OpCase InPlaceResidual(int m, int n, int k) =>
        OpCase.Create<IMatMul>($"MatMul residual in place {m}x{n}x{k}",
            [CaseBuffer.Input("a", CaseData.Normal(m * k, 1)), CaseBuffer.Input("w", CaseData.Normal(n * k, 2)), CaseBuffer.InOut("y", CaseData.Normal(m * n, 5))],
            For(k), Work(m, n, k), (op, args) => op.MatMul(args["a"], args["w"], m, n, k, new Epilogue { Residual = args["y"] }, args["y"]));
}
