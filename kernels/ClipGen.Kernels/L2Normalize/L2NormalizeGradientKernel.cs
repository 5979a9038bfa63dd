using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Gradient of one row scaled to length one.</summary>
internal static unsafe class L2NormalizeGradientKernel
{
    // Elements that are summed in float lanes before double takes over, so that the error does not grow with the length.
    private const int Block = 4096;

    /// <summary>With n = ‖x‖ and y = x / n: <c>dx = (dy − y · Σ dy·y) / n</c> where n &gt; eps, else dy / eps. dx may be dy.</summary>
    public static void Row(SimdLevel level, float* x, float* dy, int count, float eps, float* dx)
    {
        if (level == SimdLevel.Avx512) Row<Simd512, Vector512<float>>(x, dy, count, eps, dx);
        else if (level == SimdLevel.Avx2) Row<Simd256, Vector256<float>>(x, dy, count, eps, dx);
        else Row<Simd128, Vector128<float>>(x, dy, count, eps, dx);
    }

    private static void Row<S, V>(float* x, float* dy, int count, float eps, float* dx) where S : struct, ISimd<V> where V : struct
    {
        double squares = 0, products = 0;
        for (var first = 0; first < count; first += Block)
        {
            var end = Math.Min(count - first, Block) + first;
            V square = S.Zero, product = S.Zero;
            var i = first;
            for (; i + S.Count <= end; i += S.Count)
            {
                var value = S.Load(x + i);
                square = S.MultiplyAdd(value, value, square);
                product = S.MultiplyAdd(value, S.Load(dy + i), product);
            }
            squares += S.Sum(square);
            products += S.Sum(product);
            for (; i < end; i++)
            {
                squares += (double)x[i] * x[i];
                products += (double)x[i] * dy[i];
            }
        }

        var length = Math.Sqrt(squares);
        var scaled = length > eps;
        // Not folded into one factor x·Σ/n³: that leaves float's range for lengths of 1e-13, which are legal.
        float inverse = (float)(1 / (scaled ? length : eps)), along = scaled ? (float)(products / length) : 0;
        V factor = S.Broadcast(inverse), share = S.Broadcast(-along);
        var c = 0;
        for (; c + S.Count <= count; c += S.Count)
            S.Store(S.Multiply(S.MultiplyAdd(S.Multiply(S.Load(x + c), factor), share, S.Load(dy + c)), factor), dx + c);
        for (; c < count; c++) dx[c] = (dy[c] - x[c] * inverse * along) * inverse;
    }
}
