using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class CrossEntropyCases : IOpCases
{
    private static readonly Tolerance Loss = new(2e-7, 1.5e-6, "a sum of exponentials within 2 ulp has a relative error of up to 1e-6, which the logarithm makes an absolute one; one rounding of the result");

    private static readonly Tolerance Gradient = new(4e-6, 1e-36, "x − logSumExp, up to 40, is rounded by 2e-6, which exp makes a relative error, and exp is within 2 ulp; the target's element is computed in double; results below the normal range may be flushed");

    public IEnumerable<OpCase> Cases()
    {
        foreach (var (rows, classes) in new[] { (0, 3), (1, 1), (5, 3), (3, 4), (2, 7), (9, 8), (4, 9), (3, 15), (2, 17), (7, 33), (40, 1023), (3, 1024), (33, 1025), (2, 16384) })
            foreach (var spread in new[] { 1.0, 6 })
                foreach (var test in Pair($"{rows}x{classes} spread {spread}", CaseData.Normal(rows * classes, 1, 0, spread), CaseData.Integers(rows, 2, classes), rows, classes))
                    yield return test;
        // Logits in the thousands: exp would overflow without the maximum, and a loss taken from the rounded logarithm of the sum would be wrong by 1e-4.
        foreach (var test in Pair("offset 2000", CaseData.Normal(6 * 50, 3, 2000, 3), CaseData.Integers(6, 4, 50), 6, 50))
            yield return test;
        float inf = float.PositiveInfinity;
        // All equal; certain of the target; certain of another; excluded classes, one of them the target; nothing but -∞; NaN.
        float[] special = [2, 2, 2, 2, 300, 0, -300, 1, 0, 300, -300, 1, 1, -inf, 2, -inf, -inf, 0, 0, 0, -inf, -inf, -inf, -inf, 1, float.NaN, 0, 2];
        foreach (var test in Pair("special values", special, [3, 0, 0, 2, 0, 1, 2], 7, 4)) yield return test;
        foreach (var (rows, classes) in new[] { (256, 16384), (2048, 1024) })
            foreach (var test in Pair($"{rows}x{classes}", CaseData.Normal(rows * classes, 1), CaseData.Integers(rows, 2, classes), rows, classes, large: true))
                yield return test;

        foreach (var (rows, columns) in new[] { (0, 4), (1, 1), (3, 3), (2, 4), (5, 7), (4, 8), (3, 9), (2, 16), (5, 33), (700, 65), (2, 1025), (2, 5000) })
            foreach (var inPlace in new[] { false, true })
                yield return Softmax(rows, columns, inPlace, false);
        yield return Softmax(16384, 256, false, true);
    }

    /// <summary>The loss, and its gradient both beside the logits and in their place.</summary>
    private static IEnumerable<OpCase> Pair(string name, float[] logits, int[] targets, int rows, int classes, bool large = false)
    {
        yield return OpCase.Create<ICrossEntropy>($"CrossEntropy {name}", [CaseBuffer.Input("x", logits), CaseBuffer.Input("t", targets), CaseBuffer.Output("loss", rows), CaseBuffer.Output("lse", rows)],
            Loss, new OpWork("CrossEntropy", 10.0 * logits.Length, 4.0 * logits.Length), (op, args) => op.CrossEntropy(args["x"], args.Ints("t"), rows, classes, args["loss"], args["lse"]), large);
        CaseBuffer[] shared = [CaseBuffer.Input("t", targets), CaseBuffer.Input("lse", LogSumExp(logits, rows, classes)), CaseBuffer.Input("g", CaseData.Normal(rows, 5))];
        var work = new OpWork("CrossEntropyBackward", 10.0 * logits.Length, 8.0 * logits.Length);
        yield return OpCase.Create<ICrossEntropy>($"CrossEntropyBackward {name}", [CaseBuffer.Input("x", logits), .. shared, CaseBuffer.Output("dx", logits.Length)],
            Gradient, work, (op, args) => op.CrossEntropyBackward(args["x"], args.Ints("t"), args["lse"], args["g"], rows, classes, args["dx"]), large);
        yield return OpCase.Create<ICrossEntropy>($"CrossEntropyBackward {name} in place", [CaseBuffer.InOut("x", logits), .. shared],
            Gradient, work, (op, args) => op.CrossEntropyBackward(args["x"], args.Ints("t"), args["lse"], args["g"], rows, classes, args["x"]), large);
    }

    private static float[] LogSumExp(float[] logits, int rows, int classes)
    {
        var result = new float[rows];
        for (var r = 0; r < rows; r++)
        {
            var row = logits.AsSpan(r * classes, classes);
            double max = float.NegativeInfinity, sum = 0;
            foreach (var x in row) max = Math.Max(max, x);
            foreach (var x in row) sum += Math.Exp(x - max);
            result[r] = (float)(max + Math.Log(sum));
        }
        return result;
    }

    private static OpCase Softmax(int rows, int columns, bool inPlace, bool large)
    {
        var x = CaseData.Normal(rows * columns, 1, 0, 2);
        var lse = LogSumExp(x, rows, columns);
        var y = new float[x.Length];
        for (var i = 0; i < y.Length; i++) y[i] = (float)Math.Exp(x[i] - lse[i / columns]);
        var dy = CaseData.Normal(y.Length, 2, 3);
        return OpCase.Create<ISoftmax>($"SoftmaxBackward {rows}x{columns}{(inPlace ? " in place" : "")}",
            inPlace ? [CaseBuffer.Input("y", y), CaseBuffer.InOut("dx", dy)] : [CaseBuffer.Input("y", y), CaseBuffer.Input("dy", dy), CaseBuffer.Output("dx", dy.Length)],
            new Tolerance(3e-7, 2e-6, "the sum of dy·y, an average of values of about 3, errs by a few of its ulps of 2.4e-7, and y is at most one; two roundings"), new OpWork("SoftmaxBackward", 4.0 * y.Length, 12.0 * y.Length),
            (op, args) => op.SoftmaxBackward(args["y"], inPlace ? args["dx"] : args["dy"], rows, columns, args["dx"]), large);
    }
}
