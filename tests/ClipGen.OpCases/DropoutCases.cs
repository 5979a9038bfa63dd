using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class DropoutCases : IOpCases
{
    // One correctly rounded product by the same float on every backend: the same bits.
    public IEnumerable<OpCase> Cases()
    {
        var key = new RandomKey(0x0123456789ABCDEF, 4, 77);
        // Around the sixteen numbers drawn at once and a part of 2¹⁶.
        foreach (var count in new[] { 0, 1, 3, 4, 5, 15, 16, 17, 31, 65535, 65536, 65537 })
            foreach (var inPlace in new[] { false, true })
                yield return Case($"{count} p 0.1", new DropoutMask(0.1f, key), CaseData.Normal(count, 1), inPlace);
        foreach (var probability in new[] { 0, float.Epsilon, 1f / 3, 0.5f, 1 - 1f / (1 << 24) })
            yield return Case($"100 p {probability}", new DropoutMask(probability, key), CaseData.Normal(100, 2));
        // What is dropped is 0, whatever it was.
        yield return Case("special values", new DropoutMask(0.5f, key), [.. Enumerable.Repeat(new[] { float.NaN, float.PositiveInfinity, -0f, 1e-45f, float.MaxValue }, 5).SelectMany(x => x)]);
        yield return Case("4194304 p 0.1", new DropoutMask(0.1f, key), CaseData.Normal(1 << 22, 1), large: true);
    }

    private static OpCase Case(string name, DropoutMask mask, float[] x, bool inPlace = false, bool large = false) =>
        OpCase.Create<IDropout>($"Dropout {name}{(inPlace ? " in place" : "")}", inPlace ? [CaseBuffer.InOut("x", x)] : [CaseBuffer.Input("x", x), CaseBuffer.Output("y", x.Length)], Tolerance.Exact,
            new OpWork("Dropout", 22.0 * x.Length, 8.0 * x.Length), (op, args) => op.Dropout(mask, args["x"], inPlace ? args["x"] : args["y"]), large);
}
