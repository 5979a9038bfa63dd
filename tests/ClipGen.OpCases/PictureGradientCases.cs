using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class PictureGradientCases : IOpCases
{
    public IEnumerable<OpCase> Cases()
    {
        foreach (var (batch, height, width, channels) in new[] { (1, 2, 2, 1), (2, 5, 7, 3), (1, 4, 6, 33), (1, 1, 4, 2), (3, 6, 1, 5), (0, 4, 4, 2), (2, 4, 2, 16), (1, 6, 8, 7) })
        {
            yield return Pool(batch, height, width, channels, CaseData.Normal(batch * height * width * channels, 1), "");
            yield return Upsample(batch, height, width, channels);
        }
        foreach (var (batch, height, width, channels) in new[] { (1, 2, 2, 1), (2, 5, 7, 3), (1, 4, 6, 17), (1, 1, 3, 8), (0, 2, 2, 1) })
            foreach (var (outHeight, outWidth) in new[] { (3, 4), (height, width), (11, 9), (1, 1) })
                foreach (var antialias in new[] { false, true })
                    yield return Resize(batch, height, width, channels, outHeight, outWidth, antialias);

        // Values of few levels, so that most blocks have equals; every one of the 16 channels sees its own pattern.
        yield return Pool(1, 8, 8, 17, [.. CaseData.Integers(8 * 8 * 17, 5, 3).Select(level => (float)level - 1)], " ties");
        float inf = float.PositiveInfinity, nan = float.NaN;
        yield return Pool(1, 2, 12, 1,
            [
                -inf, -inf, 1, inf, nan, 2, 3, 4, 0, -0f, inf, nan,
                -inf, -inf, 2, 3, 5, 6, nan, nan, -1, -2, 7, 8,
            ], " infinities and NaN");
        yield return Pool(1, 256, 256, 64, CaseData.Normal(256 * 256 * 64, 1), "", large: true);
        yield return Upsample(1, 64, 64, 256, large: true);
        yield return Resize(8, 256, 256, 3, 224, 224, false, large: true);
    }

    private static OpCase Pool(int batch, int height, int width, int channels, float[] x, string what, bool large = false)
    {
        var outputs = batch * (height / 2) * (width / 2) * channels;
        return OpCase.Create<IPooling>($"MaxPool2x2Backward {batch}x{height}x{width}x{channels}{what}", [CaseBuffer.Input("x", x), CaseBuffer.Input("dy", CaseData.Normal(outputs, 2)), CaseBuffer.Output("dx", x.Length)],
            Tolerance.Exact, new OpWork("MaxPool2x2Backward", 3.0 * outputs, 4.0 * (2 * x.Length + outputs)), (op, args) => op.MaxPool2x2Backward(args["x"], args["dy"], batch, height, width, channels, args["dx"]), large);
    }

    private static OpCase Upsample(int batch, int height, int width, int channels, bool large = false)
    {
        var inputs = batch * height * width * channels;
        return OpCase.Create<IResample>($"UpsampleNearest2xBackward {batch}x{height}x{width}x{channels}", [CaseBuffer.Input("dy", CaseData.Normal(4 * inputs, 1)), CaseBuffer.Output("dx", inputs)],
            new Tolerance(0, 1.5e-6, "three additions of values up to 5: sums up to 10, each rounded by at most half of 2⁻²⁰"), new OpWork("UpsampleNearest2xBackward", 3.0 * inputs, 20.0 * inputs),
            (op, args) => op.UpsampleNearest2xBackward(args["dy"], batch, height, width, channels, args["dx"]), large);
    }

    private static OpCase Resize(int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, bool large = false)
    {
        int inputs = batch * height * width * channels, outputs = batch * outHeight * outWidth * channels;
        return OpCase.Create<IResample>($"ResizeBilinearBackward {batch}x{height}x{width}x{channels} to {outHeight}x{outWidth}{(antialias ? " antialias" : "")}",
            [CaseBuffer.Input("dy", CaseData.Normal(outputs, 1)), CaseBuffer.Output("dx", inputs)],
            new Tolerance(1e-6, 1e-5, "weights rounded to float, and a sum of up to a hundred products of values of size one that reaches 20"), new OpWork("ResizeBilinearBackward", 8.0 * outputs, 4.0 * (inputs + outputs)),
            (op, args) => op.ResizeBilinearBackward(args["dy"], batch, height, width, channels, outHeight, outWidth, antialias, args["dx"]), large);
    }
}
