using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class PointwiseCases : IOpCases
{
    private static readonly Tolerance OneRounding = new(1.2e-7, 1e-37, "one rounding of an exact result, two where the processor fuses and the reference does not; denormals aside");

    public IEnumerable<OpCase> Cases()
    {
        float[] special = [0, -0f, 1e-30f, -1e-30f, 0.5f, -0.5f, 1, -1, 5, -5, 20, -20, 88, -88, 100, -100, 1e20f, -1e20f, float.NaN, float.PositiveInfinity];
        foreach (var activation in Enum.GetValues<Activation>())
        {
            foreach (var count in new[] { 1, 3, 4, 15, 16, 17, 100 })
                yield return Activate(activation, CaseData.Normal(count, count, 0, 3), $"{count}");
            yield return Activate(activation, special, "special values");
        }
        foreach (var (count, period) in new[] { (1, 1), (17, 17), (60, 12), (66, 33), (70000, 7), (131072, 131072) })
        {
            yield return Pair("Add", count, period, (op, a, b, y) => op.Add(a, b, y));
            yield return Pair("Subtract", count, period, (op, a, b, y) => op.Subtract(a, b, y));
            yield return Pair("Multiply", count, period, (op, a, b, y) => op.Multiply(a, b, y));
        }
        foreach (var count in new[] { 1, 19, 70001 })
        {
            yield return OpCase.Create<IElementwise>($"Affine {count}", [CaseBuffer.Input("x", CaseData.Normal(count, 1)), CaseBuffer.Output("y", count)],
                new Tolerance(1.2e-7, 3e-7, "x·scale + shift with or without a fused rounding, values up to 5"), new OpWork("Affine", 2.0 * count, 8.0 * count), (op, args) => op.Affine(args["x"], 0.7f, -1.3f, args["y"]));
            yield return OpCase.Create<IElementwise>($"Clamp {count}", [CaseBuffer.InOut("x", CaseData.Normal(count, 1))], Tolerance.Exact, new OpWork("Clamp", 0, 8.0 * count), (op, args) => op.Clamp(args["x"], -1, 1, args["x"]));
            yield return OpCase.Create<IElementwise>($"Fill {count}", [CaseBuffer.Output("y", count)], Tolerance.Exact, new OpWork("Fill", 0, 4.0 * count), (op, args) => op.Fill(2.5f, args["y"]));
        }
        yield return OpCase.Create<IElementwise>("Clamp NaN", [CaseBuffer.InOut("x", [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0.25f])], Tolerance.Exact, default, (op, args) => op.Clamp(args["x"], -1, 1, args["x"]));
    }

    private static OpCase Activate(Activation activation, float[] values, string what)
    {
        // 3e-7 absolute for GELU: 1 + erf cancels on the negative side, as it does in PyTorch; values there are below 4.
        var tolerance = activation switch
        {
            Activation.Gelu => new Tolerance(6e-7, 6e-7, "erf within 1.5e-7, times x / 2 up to 4"),
            Activation.QuickGelu => new Tolerance(6e-6, 1e-30, "1.702·x is rounded, which exp turns into a relative error of |1.702 x|·2⁻²⁴, 5e-6 where the result is barely normal; below that it may be flushed"),
            Activation.Silu => new Tolerance(6e-7, 1e-30, "exp within 2 ulp, a sum and a division; results below the normal range may be flushed"),
            _ => new Tolerance(1.2e-7, 0, "one product"),
        };
        return OpCase.Create<IElementwise>($"Activate {activation} {what}", [CaseBuffer.Input("x", values), CaseBuffer.Output("y", values.Length)], tolerance,
            new OpWork("Activate", 10.0 * values.Length, 8.0 * values.Length), (op, args) => op.Activate(activation, args["x"], args["y"]));
    }

    private static OpCase Pair(string name, int count, int period, Action<IElementwise, View<float>, View<float>, View<float>> call) =>
        OpCase.Create<IElementwise>($"{name} {count} by {period}", [CaseBuffer.InOut("a", CaseData.Normal(count, 1)), CaseBuffer.Input("b", CaseData.Normal(period, 2))], OneRounding,
            new OpWork(name, count, 12.0 * count), (op, args) => call(op, args["a"], args["b"], args["a"]));
}
