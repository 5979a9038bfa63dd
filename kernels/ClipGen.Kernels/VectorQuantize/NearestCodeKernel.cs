using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>What the code search does with the products of some rows and a group of codes.</summary>
internal static unsafe class NearestCodeKernel
{
    /// <summary><c>closest[r·stride] = max over the group of 2·sums[r·32 + j] + offsets[j]</c>.</summary>
    public static void Closest(SimdLevel level, float* sums, int rows, float* offsets, float* closest, long stride)
    {
        if (level == SimdLevel.Avx512) Closest<Simd512, Vector512<float>>(sums, rows, offsets, closest, stride);
        else if (level == SimdLevel.Avx2) Closest<Simd256, Vector256<float>>(sums, rows, offsets, closest, stride);
        else Closest<Simd128, Vector128<float>>(sums, rows, offsets, closest, stride);
    }

    private static void Closest<S, V>(float* sums, int rows, float* offsets, float* closest, long stride) where S : struct, ISimd<V> where V : struct
    {
        var two = S.Broadcast(2);
        for (var r = 0; r < rows; r++, sums += GemmTile.Columns)
        {
            var best = S.MultiplyAdd(S.Load(sums), two, S.Load(offsets));
            for (var j = S.Count; j < GemmTile.Columns; j += S.Count) best = S.Max(best, S.MultiplyAdd(S.Load(sums + j), two, S.Load(offsets + j)));
            closest[r * stride] = S.MaxLane(best);
        }
    }
}
