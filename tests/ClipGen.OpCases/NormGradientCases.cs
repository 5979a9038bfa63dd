using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class NormGradientCases : IOpCases
{
    private static readonly Tolerance Normalised = new(4e-6, 3e-5,
        "dx is a difference of three terms of up to 10 with a few roundings each; sums over rows run in float over 256 values that reach 50, whose roundings of up to 2e-6 add up like a random walk");

    private static readonly Tolerance Lone = new(0, 2e-4, "a value that is its own mean: x̂ and dx are zero, a difference of equal terms of up to 8, which where multiply-adds are fused leaves one rounding of them (5e-7) times 1 / √ε = 316; dbeta is dy");

    public IEnumerable<OpCase> Cases()
    {
        // Rows around the 64 of a block, channels around vectors and around the 256 that one part adds up.
        foreach (var (rows, channels, mean, inPlace) in new[]
            { (0, 5, 0.0, false), (1, 3, 0, true), (3, 5, 0, false), (2, 15, 0, true), (2, 16, 0, false), (2, 17, 0, true), (63, 33, 2, false), (64, 8, -5, true), (65, 129, 0, true), (130, 257, 0, false) })
            yield return Layer(rows, channels, mean, 1, inPlace, Normalised);
        yield return Layer(1, 1, 3, 1, false, Lone);
        yield return Layer(5, 300, 1000, 0.1, false, new Tolerance(4e-6, 2e-4, "divided by a deviation of 0.1: ten times the usual; the mean of 1000 must cost nothing"));
        yield return Layer(2048, 1024, 0, 1, false, Normalised, large: true);
        yield return Layer(256, 1024, 0, 1, true, Normalised, large: true);

        foreach (var (batch, spatial, channels, groups, activation, inPlace) in new[]
        {
            (0, 3, 4, 2, Activation.Silu, false), (2, 6, 64, 32, Activation.None, false), (2, 35, 96, 32, Activation.Silu, true), (1, 255, 34, 2, Activation.Silu, false), (1, 256, 8, 1, Activation.None, true),
            (3, 257, 6, 3, Activation.None, false), (2, 513, 17, 17, Activation.Silu, false), (1, 40, 12, 4, Activation.Relu, false), (1, 40, 12, 4, Activation.LeakyRelu, true), (2, 40, 12, 4, Activation.Gelu, false), (1, 41, 15, 3, Activation.QuickGelu, true), (2, 35, 80, 2, Activation.Silu, false),
        })
            yield return Group(batch, spatial, channels, groups, activation, 0, 1, inPlace, Normalised);
        yield return Group(1, 1, 32, 32, Activation.None, 0, 1, false, Lone);
        yield return Group(1, 400, 64, 32, Activation.None, 1000, 0.1, false, new Tolerance(4e-6, 3e-4, "divided by a deviation of 0.1: ten times the usual; the mean of 1000 must cost nothing"));
        yield return Group(2, 300, 6, 3, Activation.Silu, -3000, 1, true, Normalised);
        yield return Group(1, 65536, 128, 32, Activation.Silu, 0, 1, false, Normalised, large: true);
        yield return Group(1, 4096, 512, 32, Activation.Silu, 0, 1, true, Normalised, large: true);
        yield return Group(16, 256, 512, 32, Activation.Silu, 0, 1, false, Normalised, large: true);

        foreach (var (rows, channels, activation, mean) in new[] { (1, 16, Activation.None, 0.0), (5, 17, Activation.LeakyRelu, 0), (255, 8, Activation.Relu, 1), (256, 15, Activation.LeakyRelu, 0), (300, 33, Activation.None, -3000), (513, 4, Activation.Silu, 0) })
        {
            yield return BatchTraining(rows, channels, activation, mean);
            yield return Batch(rows, channels, activation, mean, rows % 2 == 1, rows == 1 ? Lone : Normalised);
        }
        yield return BatchTraining(16 * 32 * 32, 256, Activation.LeakyRelu, 0, large: true);
        yield return Batch(16 * 32 * 32, 256, Activation.LeakyRelu, 0, false, Normalised, large: true);
        yield return Batch(961, 512, Activation.LeakyRelu, 0, true, Normalised, large: true);

        var unit = new Tolerance(1e-6, 5e-7, "a row's sums in float lanes over blocks of 4096, then a difference of values of size one");
        foreach (var (rows, columns, inPlace) in new[] { (0, 3, false), (1, 1, false), (3, 7, true), (4, 8, false), (2, 16, true), (5, 33, false), (2, 4097, true) })
            yield return Length(rows, columns, CaseData.Normal(rows * columns, 1), inPlace, unit, "");
        // The length below eps, zero, and above it where squares are far from one.
        yield return Length(3, 2, [0, 0, 3e-13f, 4e-13f, 3e-8f, 4e-8f], false, new Tolerance(1e-6, 0.5, "dy / eps, or a difference of two terms of up to 1e8 that may cancel"), " short");
        yield return Length(2048, 512, CaseData.Normal(2048 * 512, 1), false, unit, "", large: true);
    }

    private static OpCase Layer(int rows, int channels, double mean, double deviation, bool inPlace, Tolerance tolerance, bool large = false)
    {
        var count = rows * channels;
        return OpCase.Create<ILayerNorm>($"LayerNormBackward {rows}x{channels} mean {mean}{Place(inPlace)}",
            [
                CaseBuffer.Input("x", CaseData.Normal(count, 1, mean, deviation)), CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)), .. Gradients(count, inPlace),
                CaseBuffer.Output("dgamma", channels), CaseBuffer.Output("dbeta", channels),
            ],
            tolerance, new OpWork("LayerNormBackward", 16.0 * count, 12.0 * count),
            (op, args) => op.LayerNormBackward(args["x"], args["gamma"], args["dy"], rows, channels, 1e-5f, args[inPlace ? "dy" : "dx"], args["dgamma"], args["dbeta"]), large);
    }

    private static OpCase Group(int batch, int spatial, int channels, int groups, Activation activation, double mean, double deviation, bool inPlace, Tolerance tolerance, bool large = false)
    {
        var count = batch * spatial * channels;
        return OpCase.Create<IGroupNorm>($"GroupNormBackward {batch}x{spatial}x{channels} g{groups} {activation} mean {mean}{Place(inPlace)}",
            [
                CaseBuffer.Input("x", CaseData.Normal(count, 1, mean, deviation)), CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)), CaseBuffer.Input("beta", CaseData.Normal(channels, 3)),
                .. Gradients(count, inPlace), CaseBuffer.Output("dgamma", channels), CaseBuffer.Output("dbeta", channels),
            ],
            tolerance, new OpWork("GroupNormBackward", 24.0 * count, 12.0 * count),
            (op, args) => op.GroupNormBackward(args["x"], args["gamma"], args["beta"], args["dy"], batch, spatial, channels, groups, 1e-5f, activation, args[inPlace ? "dy" : "dx"], args["dgamma"], args["dbeta"]), large);
    }

    private static OpCase BatchTraining(int rows, int channels, Activation activation, double mean, bool large = false)
    {
        var count = rows * channels;
        return OpCase.Create<IBatchNorm>($"BatchNormTraining {rows}x{channels} {activation} mean {mean}",
            [
                CaseBuffer.Input("x", CaseData.Normal(count, 1, mean)), CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)), CaseBuffer.Input("beta", CaseData.Normal(channels, 3)),
                CaseBuffer.Output("mean", channels), CaseBuffer.Output("variance", channels), CaseBuffer.Output("y", count),
            ],
            new Tolerance(4e-6, 4e-6, "results of size one from a mean and variance with a few roundings each, and a scaling by gamma up to 3"), new OpWork("BatchNormTraining", 8.0 * count, 8.0 * count),
            (op, args) => op.BatchNormTraining(args["x"], args["gamma"], args["beta"], rows, channels, 1e-5f, activation, args["mean"], args["variance"], args["y"]), large);
    }

    private static OpCase Batch(int rows, int channels, Activation activation, double mean, bool inPlace, Tolerance tolerance, bool large = false)
    {
        var count = rows * channels;
        var x = CaseData.Normal(count, 1, mean);
        // What the forward op would have written.
        float[] means = new float[channels], variances = new float[channels];
        for (var c = 0; c < channels; c++)
        {
            double sum = 0, squares = 0;
            for (var r = 0; r < rows; r++) sum += x[r * channels + c];
            for (var r = 0; r < rows; r++) squares += Math.Pow(x[r * channels + c] - sum / rows, 2);
            (means[c], variances[c]) = ((float)(sum / rows), (float)(squares / rows));
        }
        return OpCase.Create<IBatchNorm>($"BatchNormBackward {rows}x{channels} {activation} mean {mean}{Place(inPlace)}",
            [
                CaseBuffer.Input("x", x), CaseBuffer.Input("gamma", CaseData.Normal(channels, 2)), CaseBuffer.Input("beta", CaseData.Normal(channels, 3)),
                CaseBuffer.Input("mean", means), CaseBuffer.Input("variance", variances), .. Gradients(count, inPlace), CaseBuffer.Output("dgamma", channels), CaseBuffer.Output("dbeta", channels),
            ],
            tolerance, new OpWork("BatchNormBackward", 16.0 * count, 12.0 * count),
            (op, args) => op.BatchNormBackward(args["x"], args["gamma"], args["beta"], args["mean"], args["variance"], args["dy"], rows, channels, 1e-5f, activation, args[inPlace ? "dy" : "dx"], args["dgamma"], args["dbeta"]), large);
    }

    private static OpCase Length(int rows, int columns, float[] x, bool inPlace, Tolerance tolerance, string what, bool large = false) =>
        OpCase.Create<IL2Normalize>($"L2NormalizeBackward {rows}x{columns}{what}{Place(inPlace)}", [CaseBuffer.Input("x", x), .. Gradients(x.Length, inPlace)], tolerance,
            new OpWork("L2NormalizeBackward", 8.0 * x.Length, 12.0 * x.Length), (op, args) => op.L2NormalizeBackward(args["x"], args["dy"], rows, columns, 1e-12f, args[inPlace ? "dy" : "dx"]), large);

    /// <summary>dy, and dx where it is not written over dy.</summary>
    private static CaseBuffer[] Gradients(int count, bool inPlace) => inPlace
        ? [CaseBuffer.InOut("dy", CaseData.Normal(count, 4))]
        : [CaseBuffer.Input("dy", CaseData.Normal(count, 4)), CaseBuffer.Output("dx", count)];

    private static string Place(bool inPlace) => inPlace ? " in place" : "";
}
