using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class NormCases : IOpCases
{
    private static readonly Tolerance Normalised = new(4e-6, 4e-6, "results of size one from a mean and variance with a few roundings each, and a scaling by gamma up to 3");

    public IEnumerable<OpCase> Cases()
    {
        foreach (var (rows, channels, mean) in new[] { (1, 1, 0.0), (3, 5, 0), (2, 15, 0), (2, 16, 0), (2, 17, 0), (37, 33, 2), (70, 64, -5), (33, 129, 0) })
            yield return Layer(rows, channels, mean, 1, Normalised);
        // Mean 1000, deviation 0.1: differences from a value of the row are exact, so the mean's size must cost nothing.
        yield return Layer(4, 300, 1000, 0.1, Normalised);
        yield return Layer(8, 1024, 0, 1, Normalised, large: true);
        yield return Layer(2048, 1024, 0, 1, Normalised, large: true);

        foreach (var (batch, spatial, channels, groups, activation) in new[]
            { (1, 1, 32, 32, Activation.None), (2, 6, 64, 32, Activation.None), (2, 35, 96, 32, Activation.Silu), (1, 300, 34, 2, Activation.Silu), (3, 513, 6, 3, Activation.None), (2, 70, 80, 2, Activation.None) })
            yield return Group(batch, spatial, channels, groups, activation, 0, 1, channels == groups && spatial == 1 ? new Tolerance(0, 1e-6, "one element per group: beta exactly, but for the sign of zero") : Normalised);
        yield return Group(1, 400, 64, 32, Activation.None, 1000, 0.1, Normalised);
        yield return Group(2, 300, 6, 3, Activation.Silu, -3000, 1, Normalised);
        yield return Group(1, 65536, 128, 32, Activation.Silu, 0, 1, Normalised, large: true);
        yield return Group(1, 4096, 512, 32, Activation.Silu, 0, 1, Normalised, large: true);

        foreach (var (rows, channels, activation) in new[] { (5, 17, Activation.LeakyRelu), (300, 33, Activation.None), (1, 64, Activation.LeakyRelu) })
            yield return OpCase.Create<IBatchNorm>($"BatchNorm {rows}x{channels} {activation}",
                [
                    CaseBuffer.Input("x", CaseData.Normal(rows * channels, 1)), CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)), CaseBuffer.Input("beta", CaseData.Normal(channels, 3)),
                    CaseBuffer.Input("mean", CaseData.Normal(channels, 4)), CaseBuffer.Input("variance", CaseData.Uniform(channels, 5, 0.5, 2)), CaseBuffer.Output("y", rows * channels),
                ],
                new Tolerance(1e-6, 2e-6, "four roundings of values up to 10"), new OpWork("BatchNorm", 2.0 * rows * channels, 8.0 * rows * channels),
                (op, args) => op.BatchNormInference(args["x"], args["gamma"], args["beta"], args["mean"], args["variance"], rows, channels, 1e-5f, activation, args["y"]));
    }

    private static OpCase Layer(int rows, int channels, double mean, double deviation, Tolerance tolerance, bool large = false) =>
        OpCase.Create<ILayerNorm>($"LayerNorm {rows}x{channels} mean {mean}",
            [CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)), CaseBuffer.Input("beta", CaseData.Normal(channels, 3)), CaseBuffer.InOut("x", CaseData.Normal(rows * channels, 1, mean, deviation))],
            tolerance, new OpWork("LayerNorm", 8.0 * rows * channels, 8.0 * rows * channels),
            (op, args) => op.LayerNorm(args["x"], args["gamma"], args["beta"], rows, channels, 1e-5f, args["x"]), large);

    private static OpCase Group(int batch, int spatial, int channels, int groups, Activation activation, double mean, double deviation, Tolerance tolerance, bool large = false) =>
        OpCase.Create<IGroupNorm>($"GroupNorm {batch}x{spatial}x{channels} g{groups} {activation} mean {mean}",
            [
                CaseBuffer.Input("x", CaseData.Normal(batch * spatial * channels, 1, mean, deviation)), CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)),
                CaseBuffer.Input("beta", CaseData.Normal(channels, 3)), CaseBuffer.Output("y", batch * spatial * channels),
            ],
            tolerance, new OpWork("GroupNorm", 8.0 * batch * spatial * channels, 8.0 * batch * spatial * channels),
            (op, args) => op.GroupNorm(args["x"], args["gamma"], args["beta"], batch, spatial, channels, groups, 1e-5f, activation, args["y"]), large);
}
