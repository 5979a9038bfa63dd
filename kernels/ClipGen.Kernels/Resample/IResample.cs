namespace ClipGen.Kernels;

/// <summary>Resizing of float pictures, channels last.</summary>
public interface IResample
{
    /// <summary>Every pixel becomes a 2x2 block: [B,H,W,C] -> [B,2H,2W,C].</summary>
    void UpsampleNearest2x(View<float> input, int batch, int height, int width, int channels, View<float> output);

    /// <summary>
    /// Bilinear resize with corners not aligned (sample i at (i + ½)·in/out − ½, clamped at the border), as
    /// <c>torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=…)</c>.
    /// With <paramref name="antialias"/> the triangle filter's support grows with the scale when shrinking, as Pillow does.
    /// </summary>
    void ResizeBilinear(View<float> input, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> output);

    /// <summary>Gradient of <see cref="UpsampleNearest2x"/>: the sum of the four copies. Sizes are the forward call's; overwrites.</summary>
    void UpsampleNearest2xBackward(View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient);

    /// <summary>Gradient of <see cref="ResizeBilinear"/>, its transposed map. Sizes are the forward call's; overwrites. Equal bits for any number of threads.</summary>
    void ResizeBilinearBackward(View<float> outputGradient, int batch, int height, int width, int channels, int outHeight, int outWidth, bool antialias, View<float> inputGradient);
}
