namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IPooling
{
    /// <inheritdoc/>
    public void MaxPool2x2(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var b = 0; b < batch; b++)
            for (var h = 0; h < height / 2; h++)
                for (var w = 0; w < width / 2; w++)
                    for (var c = 0; c < channels; c++)
                    {
                        var corner = x + (((long)b * height + 2 * h) * width + 2 * w) * channels + c;
                        y[0] = Math.Max(Math.Max(corner[0], corner[channels]), Math.Max(corner[(long)width * channels], corner[((long)width + 1) * channels]));
                        y += 1;
                    }
    }

    /// <inheritdoc/>
    public void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Reals x = Real(input), dy = Real(outputGradient), dx = Real(inputGradient);
        for (var i = 0L; i < (long)batch * height * width * channels; i++) dx[i] = 0;
        for (var b = 0; b < batch; b++)
            for (var h = 0; h < height / 2; h++)
                for (var w = 0; w < width / 2; w++)
                    for (var c = 0; c < channels; c++)
                    {
                        var corner = (((long)b * height + 2 * h) * width + 2 * w) * channels + c;
                        var best = corner;
                        foreach (var other in new[] { corner + channels, corner + (long)width * channels, corner + ((long)width + 1) * channels })
                            if (Rank(x[other]) > Rank(x[best])) best = other;
                        dx[best] = dy[0];
                        dy += 1;
                    }

        static double Rank(double value) => double.IsNaN(value) ? double.PositiveInfinity : value;
    }
}
