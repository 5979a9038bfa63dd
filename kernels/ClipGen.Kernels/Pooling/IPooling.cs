namespace ClipGen.Kernels;

/// <summary>Pooling, channels last.</summary>
public interface IPooling
{
    /// <summary>Maximum of each 2x2 block, step 2: [B,H,W,C] -> [B,⌊H/2⌋,⌊W/2⌋,C]. NaN in a block gives NaN.</summary>
    void MaxPool2x2(View<float> input, int batch, int height, int width, int channels, View<float> output);

    /// <summary>Gradient: each output's gradient goes to the largest of its four pixels, the first in row order among equals, where a NaN counts as infinity; every other pixel gets zero. Overwrites all of <paramref name="inputGradient"/>.</summary>
    void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient);
}
