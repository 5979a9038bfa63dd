using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class RowCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        foreach (var (rows, columns) in new[] { (1, 1), (3, 7), (2, 16), (5, 33), (2, 5000) })
        {
            var normal = CaseData.Normal(rows * columns, 1, 0, 4);
            yield return Row<ISoftmax>("Softmax", rows, columns, normal, rows * columns, new Tolerance(1e-6, 1e-7, "exp within 2 ulp over a sum of such"), (op, args) => op.Softmax(args["x"], rows, columns, args["y"]));
            yield return Row<IL2Normalize>("L2Normalize", rows, columns, normal, rows * columns, new Tolerance(5e-7, 1e-9, "a sum of squares, a root, a division"), (op, args) => op.L2Normalize(args["x"], rows, columns, 1e-12f, args["y"]));
            yield return Row<IReduce>("SumRows", rows, columns, CaseData.Normal(rows * columns, 2, 1000, 1), rows, new Tolerance(1e-5, 0, "256 additions per lane of a block of 4096, all of one sign"), (op, args) => op.SumRows(args["x"], rows, columns, args["y"]));
            yield return Row<IReduce>("MeanRows", rows, columns, CaseData.Normal(rows * columns, 2, 1000, 1), rows, new Tolerance(1e-5, 0, "256 additions per lane of a block of 4096, all of one sign"), (op, args) => op.MeanRows(args["x"], rows, columns, args["y"]));
            yield return OpCase.Create<IReduce>($"ArgMaxRows {rows}x{columns}", [CaseBuffer.Input("x", normal), CaseBuffer.IntOutput("y", rows)], Tolerance.Exact, default, (op, args) => op.ArgMaxRows(args["x"], rows, columns, args.Ints("y")));
        }
        float inf = float.PositiveInfinity;
        yield return Row<ISoftmax>("Softmax infinities", 3, 3, [1, -inf, 2, -inf, -inf, -inf, 300, -300, 299], 9, new Tolerance(1e-6, 0, "exp within 2 ulp"), (op, args) => op.Softmax(args["x"], 3, 3, args["y"]));
        yield return Row<IL2Normalize>("L2Normalize zero", 2, 2, [0, 0, 3e-13f, 4e-13f], 4, new Tolerance(5e-7, 0, "the length is below eps: divided by eps"), (op, args) => op.L2Normalize(args["x"], 2, 2, 1e-12f, args["y"]));
        yield return OpCase.Create<IReduce>("ArgMaxRows ties and NaN", [CaseBuffer.Input("x", [3, 7, 7, -inf, -inf, -inf, 1, float.NaN, inf]), CaseBuffer.IntOutput("y", 3)], Tolerance.Exact, default, (op, args) => op.ArgMaxRows(args["x"], 3, 3, args.Ints("y")));

        yield return OpCase.Create<IEmbedding>("Embedding 11x5", [CaseBuffer.Input("table", CaseData.Normal(55, 1)), CaseBuffer.Input("i", CaseData.Integers(9, 2, 11)), CaseBuffer.Output("y", 45)], Tolerance.Exact, default, (op, args) => op.Embedding(args["table"], 11, 5, args.Ints("i"), args["y"]));
        foreach (var (batch, rows, columns) in new[] { (1, 1, 1), (2, 5, 3), (2, 33, 70), (1, 100, 64) })
            yield return Row<ILayout>($"Transpose {batch} of", rows, columns, CaseData.Normal(batch * rows * columns, 3), batch * rows * columns, Tolerance.Exact, (op, args) => op.Transpose(args["x"], batch, rows, columns, args["y"]));
        yield return OpCase.Create<ILayout>("CopyRows 4x3", [CaseBuffer.Input("x", CaseData.Normal(23, 1)), CaseBuffer.InOut("y", CaseData.Normal(24, 2))], Tolerance.Exact, default, (op, args) => op.CopyRows(args["x"], 5, 4, 3, 7, args["y"]));
        yield return OpCase.Create<ILayout>("CopyRows repeated", [CaseBuffer.Input("x", CaseData.Normal(3, 1)), CaseBuffer.InOut("y", CaseData.Normal(20, 2))], Tolerance.Exact, default, (op, args) => op.CopyRows(args["x"], 0, 3, 3, 6, args["y"]));
        foreach (var (batch, height, width, channels) in new[] { (1, 2, 2, 1), (2, 5, 7, 3), (1, 4, 6, 33) })
        {
            var x = CaseData.Normal(batch * height * width * channels, 1);
            yield return OpCase.Create<IPooling>($"MaxPool2x2 {batch}x{height}x{width}x{channels}", [CaseBuffer.Input("x", x), CaseBuffer.Output("y", batch * (height / 2) * (width / 2) * channels)], Tolerance.Exact, default, (op, args) => op.MaxPool2x2(args["x"], batch, height, width, channels, args["y"]));
            yield return OpCase.Create<IResample>($"UpsampleNearest2x {batch}x{height}x{width}x{channels}", [CaseBuffer.Input("x", x), CaseBuffer.Output("y", 4 * x.Length)], Tolerance.Exact, default, (op, args) => op.UpsampleNearest2x(args["x"], batch, height, width, channels, args["y"]));
            foreach (var (outHeight, outWidth) in new[] { (3, 4), (height, width), (11, 9), (1, 1) })
                foreach (var antialias in new[] { false, true })
                    yield return OpCase.Create<IResample>($"ResizeBilinear {batch}x{height}x{width}x{channels} to {outHeight}x{outWidth}{(antialias ? " antialias" : "")}", [CaseBuffer.Input("x", x), CaseBuffer.Output("y", batch * outHeight * outWidth * channels)],
                        new Tolerance(1e-6, 1e-6, "up to fifty products of values of size one"), default, (op, args) => op.ResizeBilinear(args["x"], batch, height, width, channels, outHeight, outWidth, antialias, args["y"]));
        }
    }

    private static OpCase Row<TOp>(string name, int rows, int columns, float[] values, int outputs, Tolerance tolerance, Action<TOp, CaseArguments> call) where TOp : class =>
        OpCase.Create(name + $" {rows}x{columns}", [CaseBuffer.Input("x", values), CaseBuffer.Output("y", outputs)], tolerance, new OpWork(name, values.Length, 4.0 * (values.Length + outputs)), call);
}
