using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IPooling
{
    /// <inheritdoc/>
    public void MaxPool2x2(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        var count = (long)batch * (height / 2) * (width / 2) * channels;
        Arguments.Length(input, (long)batch * height * width * channels);
        Arguments.Length(output, count);
        LaunchOver(PoolingCuda.MaxPool2x2, count, new PoolingArguments { Input = View(input), Output = View(output), Count = count, Height = height, Width = width, Channels = channels });
    }

    /// <inheritdoc/>
    public void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Arguments.Require(batch >= 0 && height >= 0 && width >= 0 && channels >= 0, $"{batch} pictures of {height}x{width}x{channels}");
        var count = (long)batch * height * width * channels;
        Arguments.Length(input, count);
        Arguments.Length(outputGradient, (long)batch * (height / 2) * (width / 2) * channels);
        Arguments.Length(inputGradient, count);
        LaunchOver(PoolingCuda.MaxPool2x2Backward, count, new PoolingArguments { Input = View(input), Output = View(outputGradient), InputGradient = View(inputGradient), Count = count, Height = height, Width = width, Channels = channels });
    }
}

internal struct PoolingArguments
{
    public ArrayView<float> Input, Output, InputGradient;
    public long Count;
    public int Height, Width, Channels;
}

/// <summary>Blocks of 2x2 pixels.</summary>
internal static class PoolingCuda
{
    /// <summary>A thread per output.</summary>
    [CudaKernel]
    public static void MaxPool2x2(PoolingArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            int outWidth = a.Width / 2, outHeight = a.Height / 2;
            var pixel = i / a.Channels;
            var corner = ((pixel / outWidth / outHeight * a.Height + pixel / outWidth % outHeight * 2) * a.Width + pixel % outWidth * 2) * a.Channels + i % a.Channels;
            var below = corner + (long)a.Width * a.Channels;
            a.Output[i] = Larger(Larger(a.Input[corner], a.Input[corner + a.Channels]), Larger(a.Input[below], a.Input[below + a.Channels]));
        }
    }

    /// <summary>A thread per input: it gets its block's gradient if it is the largest, the first of equals.</summary>
    [CudaKernel]
    public static void MaxPool2x2Backward(PoolingArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step)
        {
            int outWidth = a.Width / 2, outHeight = a.Height / 2;
            var channel = i % a.Channels;
            var pixel = i / a.Channels;
            var picture = pixel / a.Width / a.Height;
            int row = (int)(pixel / a.Width % a.Height), column = (int)(pixel % a.Width);
            var gradient = 0f;
            if (row / 2 < outHeight && column / 2 < outWidth)
            {
                var corner = ((picture * a.Height + row / 2 * 2) * a.Width + column / 2 * 2) * a.Channels + channel;
                var below = corner + (long)a.Width * a.Channels;
                var best = Better(a.Input, Better(a.Input, Better(a.Input, corner, corner + a.Channels), below), below + a.Channels);
                if (best == i) gradient = a.Output[((picture * outHeight + row / 2) * outWidth + column / 2) * a.Channels + channel];
            }
            a.InputGradient[i] = gradient;
        }
    }

    private static float Larger(float a, float b) => float.IsNaN(a) || a > b ? a : b;

    private static long Better(ArrayView<float> input, long first, long second)
    {
        float a = input[first], b = input[second];
        if (float.IsNaN(a)) a = float.PositiveInfinity;
        if (float.IsNaN(b)) b = float.PositiveInfinity;
        return b > a ? second : first;
    }
}
