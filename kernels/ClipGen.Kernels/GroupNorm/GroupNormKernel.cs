using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Statistics of group normalisation.</summary>
internal static unsafe class GroupNormKernel
{
    /// <summary>Per channel: Σ d into <c>sums[0..C)</c>, Σ d² into <c>sums[C..2C)</c>, d = x − shift, over at most 256 rows.</summary>
    public static void Sums(SimdLevel level, float* x, float* shift, int rows, int channels, double* sums)
    {
        if (level == SimdLevel.Avx512) Sums<Simd512, Vector512<float>>(x, shift, rows, channels, sums);
        else if (level == SimdLevel.Avx2) Sums<Simd256, Vector256<float>>(x, shift, rows, channels, sums);
        else Sums<Simd128, Vector128<float>>(x, shift, rows, channels, sums);
    }

    private static void Sums<S, V>(float* x, float* shift, int rows, int channels, double* sums) where S : struct, ISimd<V> where V : struct
    {
        var lanes = stackalloc float[2 * S.Count];
        var c = 0;
        for (; c + S.Count <= channels; c += S.Count)
        {
            V s = S.Load(shift + c), sum = S.Zero, squares = S.Zero;
            var from = x + c;
            for (var r = 0; r < rows; r++, from += channels)
            {
                var d = S.Subtract(S.Load(from), s);
                sum = S.Add(sum, d);
                squares = S.MultiplyAdd(d, d, squares);
            }
            S.Store(sum, lanes);
            S.Store(squares, lanes + S.Count);
            for (var i = 0; i < S.Count; i++)
            {
                sums[c + i] = lanes[i];
                sums[channels + c + i] = lanes[S.Count + i];
            }
        }
        for (; c < channels; c++)
        {
            double sum = 0, squares = 0;
            for (var r = 0; r < rows; r++)
            {
                var d = (double)x[(long)r * channels + c] - shift[c];
                sum += d;
                squares += d * d;
            }
            sums[c] = sum;
            sums[channels + c] = squares;
        }
    }
}
