namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IResample
{
    /// <inheritdoc/>
    public void UpsampleNearest2x(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        var at = 0L;
        for (var b = 0; b < batch; b++)
            for (var h = 0; h < 2 * height; h++)
                for (var w = 0; w < 2 * width; w++)
                    for (var c = 0; c < channels; c++)
                        y[at++] = x[(((long)b * height + h / 2) * width + w / 2) * channels + c];
    }

    /// <inheritdoc/>
    public void ResizeBilinear(View<float> input, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        var at = 0L;
        for (var b = 0; b < batch; b++)
            for (var h = 0; h < outHeight; h++)
                for (var w = 0; w < outWidth; w++)
                    for (var c = 0; c < channels; c++)
                    {
                        var sum = 0.0;
                        foreach (var (row, rowWeight) in ResampleTaps.At(h, height, outHeight, antialias))
                            foreach (var (column, columnWeight) in ResampleTaps.At(w, width, outWidth, antialias))
                                sum += rowWeight * columnWeight * x[(((long)b * height + row) * width + column) * channels + c];
                        y[at++] = sum;
                    }
    }

    /// <inheritdoc/>
    public void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Reals dy = Real(outputGradient), dx = Real(inputGradient);
        var at = 0L;
        for (var b = 0; b < batch; b++)
            for (var h = 0; h < height; h++)
                for (var w = 0; w < width; w++)
                    for (var c = 0; c < channels; c++)
                    {
                        var corner = dy + (((long)b * 2 * height + 2 * h) * 2 * width + 2 * w) * channels + c;
                        dx[at++] = corner[0] + corner[channels] + corner[2L * width * channels] + corner[(2L * width + 1) * channels];
                    }
    }

    /// <inheritdoc/>
    public void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient)
    {
        Reals dy = Real(outputGradient), dx = Real(inputGradient);
        var sums = new double[(long)height * width * channels];
        for (var b = 0; b < batch; b++, dx += sums.Length)
        {
            Array.Clear(sums);
            for (var h = 0; h < outHeight; h++)
                for (var w = 0; w < outWidth; w++)
                    for (var c = 0; c < channels; c++)
                    {
                        foreach (var (row, rowWeight) in ResampleTaps.At(h, height, outHeight, antialias))
                            foreach (var (column, columnWeight) in ResampleTaps.At(w, width, outWidth, antialias))
                                sums[((long)row * width + column) * channels + c] += rowWeight * columnWeight * dy[0];
                        dy += 1;
                    }
            for (var i = 0L; i < sums.Length; i++) dx[i] = sums[i];
        }
    }
}
