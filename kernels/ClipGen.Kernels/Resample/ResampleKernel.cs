using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Vector loops of the resamplings.</summary>
internal static unsafe class ResampleKernel
{
    /// <summary>One row of sums of 2x2 blocks: <c>y[w,c] = (x[0,2w,c] + x[0,2w+1,c]) + (x[1,2w,c] + x[1,2w+1,c])</c>; the two rows of x follow each other.</summary>
    public static void SumQuads(SimdLevel level, float* x, int width, int channels, float* y)
    {
        if (level == SimdLevel.Avx512) SumQuads<Simd512, Vector512<float>>(x, width, channels, y);
        else if (level == SimdLevel.Avx2) SumQuads<Simd256, Vector256<float>>(x, width, channels, y);
        else SumQuads<Simd128, Vector128<float>>(x, width, channels, y);
    }

    private static void SumQuads<S, V>(float* x, int width, int channels, float* y) where S : struct, ISimd<V> where V : struct
    {
        var below = 2L * width * channels;
        for (var w = 0; w < width; w++, x += 2 * channels, y += channels)
        {
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
                S.Store(S.Add(S.Add(S.Load(x + c), S.Load(x + c + channels)), S.Add(S.Load(x + c + below), S.Load(x + c + below + channels))), y + c);
            for (; c < channels; c++) y[c] = x[c] + x[c + channels] + (x[c + below] + x[c + below + channels]);
        }
    }
}
