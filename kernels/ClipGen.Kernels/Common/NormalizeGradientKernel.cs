using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Gradients of group and batch normalisation behind their statistics: what <see cref="NormalizeKernel"/> is for the outputs.</summary>
internal static unsafe class NormalizeGradientKernel
{
    /// <summary>
    /// With d = x − mean[c] and <c>dz = dy · activation'(d · factor[c] + offset[c])</c>: dz of every row (it may be dy; without an activation it is dy, and nothing
    /// is written), and per channel Σ dz into <c>sums[0..C)</c> and Σ dz·d into <c>sums[C..2C)</c>, in float, over at most 256 rows.
    /// </summary>
    public static void Sums(SimdLevel level, Activation activation, float* x, float* mean, float* factor, float* offset, float* dy, int rows, int channels, float* dz, float* sums)
    {
        if (level == SimdLevel.Avx512) Sums<Simd512, Vector512<float>>(activation, x, mean, factor, offset, dy, rows, channels, dz, sums);
        else if (level == SimdLevel.Avx2) Sums<Simd256, Vector256<float>>(activation, x, mean, factor, offset, dy, rows, channels, dz, sums);
        else Sums<Simd128, Vector128<float>>(activation, x, mean, factor, offset, dy, rows, channels, dz, sums);
    }

    /// <summary>
    /// <c>dx[r,c] = (dz[r,c] · gamma[c] + offset[c] + (x[r,c] − mean[c]) · slope[c]) · inverse[c]</c>; dx may be dz. The product with gamma is rounded before the offset, a mean of such products,
    /// is added: where all of them are equal nothing is left for the inverse of a small deviation to magnify.
    /// </summary>
    public static void Rows(SimdLevel level, float* x, float* mean, float* dz, float* gamma, float* offset, float* slope, float* inverse, int rows, int channels, float* dx)
    {
        if (level == SimdLevel.Avx512) Rows<Simd512, Vector512<float>>(x, mean, dz, gamma, offset, slope, inverse, rows, channels, dx);
        else if (level == SimdLevel.Avx2) Rows<Simd256, Vector256<float>>(x, mean, dz, gamma, offset, slope, inverse, rows, channels, dx);
        else Rows<Simd128, Vector128<float>>(x, mean, dz, gamma, offset, slope, inverse, rows, channels, dx);
    }

    private static void Sums<S, V>(Activation activation, float* x, float* mean, float* factor, float* offset, float* dy, int rows, int channels, float* dz, float* sums) where S : struct, ISimd<V> where V : struct
    {
        var body = new SumRows<S, V>(x, mean, factor, offset, dy, rows, channels, dz, sums);
        Activations.Dispatch(activation, ref body);
    }

    // Row by row, as the memory lies; the sums stay in the first-level cache.
    private static void Sums<S, V, A>(float* x, float* mean, float* factor, float* offset, float* dy, int rows, int channels, float* dz, float* sums)
        where S : struct, ISimd<V> where V : struct where A : struct, IActivation
    {
        var products = sums + channels;
        new Span<float>(sums, 2 * channels).Clear();
        for (var r = 0; r < rows; r++, x += channels, dy += channels, dz += channels)
        {
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
            {
                var d = S.Subtract(S.Load(x + c), S.Load(mean + c));
                var gradient = S.Load(dy + c);
                // Decided when the loop is compiled.
                if (typeof(A) != typeof(Identity))
                {
                    gradient = S.Multiply(gradient, A.Derivative<S, V>(S.MultiplyAdd(d, S.Load(factor + c), S.Load(offset + c))));
                    S.Store(gradient, dz + c);
                }
                S.Store(S.Add(S.Load(sums + c), gradient), sums + c);
                S.Store(S.MultiplyAdd(gradient, d, S.Load(products + c)), products + c);
            }
            if (c < channels)
            {
                var rest = channels - c;
                var d = S.Subtract(S.LoadPartial(x + c, rest), S.LoadPartial(mean + c, rest));
                var gradient = S.LoadPartial(dy + c, rest);
                if (typeof(A) != typeof(Identity))
                {
                    gradient = S.Multiply(gradient, A.Derivative<S, V>(S.MultiplyAdd(d, S.LoadPartial(factor + c, rest), S.LoadPartial(offset + c, rest))));
                    S.StorePartial(gradient, dz + c, rest);
                }
                S.StorePartial(S.Add(S.LoadPartial(sums + c, rest), gradient), sums + c, rest);
                S.StorePartial(S.MultiplyAdd(gradient, d, S.LoadPartial(products + c, rest)), products + c, rest);
            }
        }
    }

    private static void Rows<S, V>(float* x, float* mean, float* dz, float* gamma, float* offset, float* slope, float* inverse, int rows, int channels, float* dx) where S : struct, ISimd<V> where V : struct
    {
        for (var r = 0; r < rows; r++, x += channels, dz += channels, dx += channels)
        {
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
            {
                var d = S.Subtract(S.Load(x + c), S.Load(mean + c));
                var fromMean = S.Add(S.Multiply(S.Load(dz + c), S.Load(gamma + c)), S.Load(offset + c));
                S.Store(S.Multiply(S.MultiplyAdd(d, S.Load(slope + c), fromMean), S.Load(inverse + c)), dx + c);
            }
            if (c < channels)
            {
                var rest = channels - c;
                var d = S.Subtract(S.LoadPartial(x + c, rest), S.LoadPartial(mean + c, rest));
                var fromMean = S.Add(S.Multiply(S.LoadPartial(dz + c, rest), S.LoadPartial(gamma + c, rest)), S.LoadPartial(offset + c, rest));
                S.StorePartial(S.Multiply(S.MultiplyAdd(d, S.LoadPartial(slope + c, rest), fromMean), S.LoadPartial(inverse + c, rest)), dx + c, rest);
            }
        }
    }

    private readonly struct SumRows<S, V>(float* x, float* mean, float* factor, float* offset, float* dy, int rows, int channels, float* dz, float* sums) : IActivationVisitor
        where S : struct, ISimd<V> where V : struct
    {
        public void Visit<A>() where A : struct, IActivation => Sums<S, V, A>(x, mean, factor, offset, dy, rows, channels, dz, sums);
    }
}
