using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>Moves the sums of a tile to the output, with bias, activation and residual on the way.</summary>
internal static unsafe class EpilogueKernel
{
    /// <summary>
    /// <c>output[r·stride + j] = activation(sums[r·32 + j] + bias[j]) + residual[r·stride + j]</c> for j below <paramref name="columns"/> (at most 32).
    /// Bias and residual may be null; the residual may be the output.
    /// </summary>
    public static void Store(SimdLevel level, float* sums, int rows, int columns, float* bias, Activation activation, float* residual, float* output, long stride)
    {
        if (level == SimdLevel.Avx512) Store<Simd512, System.Runtime.Intrinsics.Vector512<float>>(sums, rows, columns, bias, activation, residual, output, stride);
        else if (level == SimdLevel.Avx2) Store<Simd256, System.Runtime.Intrinsics.Vector256<float>>(sums, rows, columns, bias, activation, residual, output, stride);
        else Store<Simd128, System.Runtime.Intrinsics.Vector128<float>>(sums, rows, columns, bias, activation, residual, output, stride);
    }

    /// <summary>The sums as they are.</summary>
    public static void Store(SimdLevel level, float* sums, int rows, int columns, float* output, long stride) => Store(level, sums, rows, columns, null, Activation.None, null, output, stride);

    private static void Store<S, V>(float* sums, int rows, int columns, float* bias, Activation activation, float* residual, float* output, long stride)
        where S : struct, ISimd<V> where V : struct
    {
        var store = new StoreRows<S, V>(sums, rows, columns, bias, residual, output, stride);
        Activations.Dispatch(activation, ref store);
    }

    private static void Rows<S, V, A>(float* sums, int rows, int columns, float* bias, float* residual, float* output, long stride)
        where S : struct, ISimd<V> where V : struct where A : struct, IActivation
    {
        for (var r = 0; r < rows; r++)
        {
            var from = sums + r * GemmTile.Columns;
            var to = output + r * stride;
            var extra = residual == null ? null : residual + r * stride;
            var j = 0;
            for (; j + S.Count <= columns; j += S.Count)
            {
                var x = S.Load(from + j);
                if (bias != null) x = S.Add(x, S.Load(bias + j));
                x = A.Apply<S, V>(x);
                if (extra != null) x = S.Add(x, S.Load(extra + j));
                S.Store(x, to + j);
            }
            if (j < columns)
            {
                var rest = columns - j;
                var x = S.LoadPartial(from + j, rest);
                if (bias != null) x = S.Add(x, S.LoadPartial(bias + j, rest));
                x = A.Apply<S, V>(x);
                if (extra != null) x = S.Add(x, S.LoadPartial(extra + j, rest));
                S.StorePartial(x, to + j, rest);
            }
        }
    }

    private readonly struct StoreRows<S, V>(float* sums, int rows, int columns, float* bias, float* residual, float* output, long stride) : IActivationVisitor
        where S : struct, ISimd<V> where V : struct
    {
        public void Visit<A>() where A : struct, IActivation => Rows<S, V, A>(sums, rows, columns, bias, residual, output, stride);
    }
}
