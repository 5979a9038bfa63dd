using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class PointwiseGradientCases : IOpCases
{
    // Elements of one part on the CPU.
    private const int Part = 1 << 16;

    private static readonly int[] Counts = [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 100, Part - 1, Part, Part + 1];

    private static readonly float[] Special = [0, -0f, 1e-30f, -1e-30f, 0.5f, -0.5f, 1, -1, 5, -5, 20, -20, 88, -88, 100, -100, 1e20f, -1e20f, float.NaN, float.PositiveInfinity, float.NegativeInfinity];

    public IEnumerable<OpCase> Cases()
    {
        foreach (var activation in Enum.GetValues<Activation>())
        {
            foreach (var count in Counts.Where(count => count < 100)) yield return Activate(activation, CaseData.Normal(count, 1, 0, 3), $"{count}", count % 2 == 0);
            yield return Activate(activation, [.. Enumerable.Range(0, 4001).Select(i => (i - 2000) / 100f)], "from -20 to 20", true);
            yield return Activate(activation, Special, "special values", false);
        }
        foreach (var count in Counts.Where(count => count >= 100)) yield return Activate(Activation.LeakyRelu, CaseData.Normal(count, 1), $"{count}", count % 2 == 0);
        yield return Activate(Activation.Gelu, CaseData.Normal(1 << 21, 1), $"{1 << 21}", false, large: true);
        yield return Activate(Activation.Silu, CaseData.Normal(1 << 21, 1), $"{1 << 21}", true, large: true);

        foreach (var x in Counts.Select(count => CaseData.Normal(count, 1)).Append(Special))
        {
            var name = x == Special ? "special values" : $"{x.Length}";
            yield return OpCase.Create<IElementwise>($"Absolute {name}", [CaseBuffer.InOut("x", x)], Tolerance.Exact, new OpWork("Absolute", x.Length, 8.0 * x.Length), (op, args) => op.Absolute(args["x"], args["x"]));
            yield return Gradient("AbsoluteBackward", 1, name, x, x.Length % 2 == 1, Tolerance.Exact, (op, x, dy, dx) => op.AbsoluteBackward(x, dy, dx));
            // The bounds themselves are among the special values: they let the gradient through.
            yield return Gradient("ClampBackward", 2, name, x, x.Length % 2 == 0, Tolerance.Exact, (op, x, dy, dx) => op.ClampBackward(x, -1, 0.5f, dy, dx));
        }
        foreach (var count in Counts.Append(1 << 22))
            yield return OpCase.Create<IElementwise>($"AddScaled {count}", [CaseBuffer.Input("x", CaseData.Normal(count, 1)), CaseBuffer.InOut("y", CaseData.Normal(count, 2))],
                new Tolerance(1.2e-7, 6e-7, "y + x·scale with or without a fused rounding, values up to 6"), new OpWork("AddScaled", 2.0 * count, 12.0 * count), (op, args) => op.AddScaled(args["x"], -0.7f, args["y"]), count > 2 * Part);
        // Rows that make parts: 65536 / 33 = 1985 in one.
        foreach (var (rows, columns) in new[] { (0, 4), (3, 0), (1, 1), (5, 1), (2, 15), (3, 16), (4, 17), (1985, 33), (1986, 33), (2, Part + 1) })
            yield return OpCase.Create<IElementwise>($"ScaleRows {rows}x{columns}", [CaseBuffer.InOut("x", CaseData.Normal(rows * columns, 1)), CaseBuffer.Input("scale", CaseData.Normal(rows, 2))],
                new Tolerance(6.1e-8, 1e-37, "one product; denormals aside"), new OpWork("ScaleRows", rows * columns, 8.0 * rows * columns), (op, args) => op.ScaleRows(args["x"], args["scale"], rows, columns, args["x"]));
    }

    private static OpCase Activate(Activation activation, float[] x, string what, bool inPlace, bool large = false)
    {
        var tolerance = activation switch
        {
            Activation.Silu or Activation.QuickGelu => new Tolerance(2e-6, 1e-5, "s is within 9e-8 near one, times x up to 17, where s becomes one; times dy up to 5"),
            Activation.Gelu => new Tolerance(1e-6, 2e-6, "half of erf, within 1e-7, and the density within 3e-7; times dy up to 5"),
            _ => new Tolerance(1.2e-7, 0, "one product"),
        };
        return Gradient("ActivateBackward", 12, $"{activation} {what}", x, inPlace, tolerance, (op, x, dy, dx) => op.ActivateBackward(activation, x, dy, dx), large);
    }

    private static OpCase Gradient(string op, double flops, string what, float[] x, bool inPlace, Tolerance tolerance, Action<IElementwise, View<float>, View<float>, View<float>> call, bool large = false)
    {
        CaseBuffer[] gradients = inPlace ? [CaseBuffer.InOut("dy", CaseData.Normal(x.Length, 2))] : [CaseBuffer.Input("dy", CaseData.Normal(x.Length, 2)), CaseBuffer.Output("dx", x.Length)];
        return OpCase.Create<IElementwise>($"{op} {what}", [CaseBuffer.Input("x", x), .. gradients], tolerance, new OpWork(op, flops * x.Length, 12.0 * x.Length),
            (backend, args) => call(backend, args["x"], args["dy"], args[inPlace ? "dy" : "dx"]), large);
    }
}
