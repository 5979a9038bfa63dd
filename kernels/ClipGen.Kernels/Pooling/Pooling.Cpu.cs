using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IPooling
{
    /// <inheritdoc/>
    public void MaxPool2x2(View<float> input, int batch, int height, int width, int channels, View<float> output)
    {
        int outHeight = height / 2, outWidth = width / 2;
        Arguments.Length(input, (long)batch * height * width * channels);
        Arguments.Length(output, (long)batch * outHeight * outWidth * channels);
        if (outHeight == 0) return;
        float* x = Pointer(input), y = Pointer(output);
        var level = Simd;
        Workers.For(checked(batch * outHeight), row =>
        {
            var from = x + ((long)(row / outHeight) * height + 2 * (row % outHeight)) * width * channels;
            var to = y + (long)row * outWidth * channels;
            if (level == SimdLevel.Avx512) PoolingKernel.MaxRow<Simd512, Vector512<float>>(from, width, channels, to);
            else if (level == SimdLevel.Avx2) PoolingKernel.MaxRow<Simd256, Vector256<float>>(from, width, channels, to);
            else PoolingKernel.MaxRow<Simd128, Vector128<float>>(from, width, channels, to);
        });
    }

    /// <inheritdoc/>
    public void MaxPool2x2Backward(View<float> input, View<float> outputGradient, int batch, int height, int width, int channels, View<float> inputGradient)
    {
        Arguments.Require(batch >= 0 && height >= 0 && width >= 0 && channels >= 0, $"{batch} pictures of {height}x{width}x{channels}");
        int outHeight = height / 2, outWidth = width / 2;
        Arguments.Length(input, (long)batch * height * width * channels);
        Arguments.Length(outputGradient, (long)batch * outHeight * outWidth * channels);
        Arguments.Length(inputGradient, (long)batch * height * width * channels);
        float* x = Pointer(input), dy = Pointer(outputGradient), dx = Pointer(inputGradient);
        var level = Simd;
        var rowLength = (long)width * channels;
        // A part is a pair of input rows, or the odd last one, which no block reaches.
        var pairs = outHeight + height % 2;
        Workers.For(checked(batch * pairs), part =>
        {
            var (picture, pair) = Math.DivRem(part, pairs);
            var at = ((long)picture * height + 2 * pair) * rowLength;
            if (pair == outHeight)
            {
                new Span<float>(dx + at, (int)rowLength).Clear();
                return;
            }
            var gradient = dy + ((long)picture * outHeight + pair) * outWidth * channels;
            if (level == SimdLevel.Avx512) PoolingGradientKernel.Rows<Simd512, Vector512<float>>(x + at, gradient, width, channels, dx + at);
            else if (level == SimdLevel.Avx2) PoolingGradientKernel.Rows<Simd256, Vector256<float>>(x + at, gradient, width, channels, dx + at);
            else PoolingGradientKernel.Rows<Simd128, Vector128<float>>(x + at, gradient, width, channels, dx + at);
        });
    }
}

/// <summary>Pooling of one output row.</summary>
internal static unsafe class PoolingKernel
{
    public static void MaxRow<S, V>(float* input, int width, int channels, float* output) where S : struct, ISimd<V> where V : struct
    {
        var below = (long)width * channels;
        for (var w = 0; w < width / 2; w++)
        {
            var a = input + 2L * w * channels;
            var to = output + (long)w * channels;
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
                S.Store(S.Max(S.Max(S.Load(a + c), S.Load(a + c + channels)), S.Max(S.Load(a + c + below), S.Load(a + c + below + channels))), to + c);
            for (; c < channels; c++)
                to[c] = MathF.Max(MathF.Max(a[c], a[c + channels]), MathF.Max(a[c + below], a[c + below + channels]));
        }
    }
}
