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
}
