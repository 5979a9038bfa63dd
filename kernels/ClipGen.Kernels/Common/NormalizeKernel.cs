using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>The second half of group and batch normalisation: one mean, factor and offset per channel, then an activation.</summary>
internal static unsafe class NormalizeKernel
{
    /// <summary><c>y[r,c] = activation((x[r,c] − mean[c]) · factor[c] + offset[c])</c>.</summary>
    public static void Rows(SimdLevel level, Activation activation, float* x, float* mean, float* factor, float* offset, int rows, int channels, float* y)
    {
        if (level == SimdLevel.Avx512) Rows<Simd512, Vector512<float>>(activation, x, mean, factor, offset, rows, channels, y);
        else if (level == SimdLevel.Avx2) Rows<Simd256, Vector256<float>>(activation, x, mean, factor, offset, rows, channels, y);
        else Rows<Simd128, Vector128<float>>(activation, x, mean, factor, offset, rows, channels, y);
    }

    private static void Rows<S, V>(Activation activation, float* x, float* mean, float* factor, float* offset, int rows, int channels, float* y) where S : struct, ISimd<V> where V : struct
    {
        var body = new NormalizeRows<S, V>(x, mean, factor, offset, rows, channels, y);
        Activations.Dispatch(activation, ref body);
    }

    private static void Rows<S, V, A>(float* x, float* mean, float* factor, float* offset, int rows, int channels, float* y)
        where S : struct, ISimd<V> where V : struct where A : struct, IActivation
    {
        for (var r = 0; r < rows; r++, x += channels, y += channels)
        {
            var c = 0;
            for (; c + S.Count <= channels; c += S.Count)
                S.Store(A.Apply<S, V>(S.MultiplyAdd(S.Subtract(S.Load(x + c), S.Load(mean + c)), S.Load(factor + c), S.Load(offset + c))), y + c);
            if (c < channels)
            {
                var rest = channels - c;
                S.StorePartial(A.Apply<S, V>(S.MultiplyAdd(S.Subtract(S.LoadPartial(x + c, rest), S.LoadPartial(mean + c, rest)), S.LoadPartial(factor + c, rest), S.LoadPartial(offset + c, rest))), y + c, rest);
            }
        }
    }

    private readonly struct NormalizeRows<S, V>(float* x, float* mean, float* factor, float* offset, int rows, int channels, float* y) : IActivationVisitor
        where S : struct, ISimd<V> where V : struct
    {
        public void Visit<A>() where A : struct, IActivation => Rows<S, V, A>(x, mean, factor, offset, rows, channels, y);
    }
}
