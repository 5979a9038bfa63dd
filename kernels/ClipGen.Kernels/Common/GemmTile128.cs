using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

// Written out row by row: the JIT keeps named locals in registers, but an array or a loop over accumulators in memory.
/// <summary>The tile with 128-bit vectors: up to 4 rows x 8 columns of sums in registers, half a panel of B at a time.</summary>
internal static unsafe class GemmTile128
{
    private const int PanelRows = 4;

    /// <summary>Columns of one call: half a panel.</summary>
    internal const int Width = 8;

    internal static void Multiply<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector128<float>>
    {
        if (rows <= 1) Rows1x8<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 2) Rows2x8<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
        else Rows4x8<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector128<float> left, Vector128<float> right, bool accumulate)
    {
        if (accumulate)
        {
            left += Vector128.Load(c);
            right += Vector128.Load(c + 4);
        }
        left.Store(c);
        right.Store(c + 4);
    }

    /// <summary>
    /// A full tile whose rows of A lie <paramref name="aStride"/> floats apart in memory and are read in place, k by k: what a convolution
    /// inside a picture needs. The same chains of multiply-adds as the packed tile, so the same bits.
    /// </summary>
    internal static void Strided(float* a, long aStride, float* b, int depth, float* c, bool accumulate, byte* ahead, int aheadStep)
    {
        var two = 2 * aStride;
        var a3 = a + 3 * aStride;
        var c00 = Vector128<float>.Zero;
        var c01 = Vector128<float>.Zero;
        var c10 = Vector128<float>.Zero;
        var c11 = Vector128<float>.Zero;
        var c20 = Vector128<float>.Zero;
        var c21 = Vector128<float>.Zero;
        var c30 = Vector128<float>.Zero;
        var c31 = Vector128<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = Vector128.Load(b);
            var b1 = Vector128.Load(b + 4);
            var x0 = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(x0, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(x0, b1, c01);
            var x1 = Vector128.Create(a[aStride]);
            c10 = Vector128.MultiplyAddEstimate(x1, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(x1, b1, c11);
            var x2 = Vector128.Create(a[two]);
            c20 = Vector128.MultiplyAddEstimate(x2, b0, c20);
            c21 = Vector128.MultiplyAddEstimate(x2, b1, c21);
            var x3 = Vector128.Create(*a3);
            c30 = Vector128.MultiplyAddEstimate(x3, b0, c30);
            c31 = Vector128.MultiplyAddEstimate(x3, b1, c31);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a++;
            a3++;
            b += GemmTile.PanelColumns;
        }
        Put(c, c00, c01, accumulate);
        Put(c + GemmTile.Columns, c10, c11, accumulate);
        Put(c + 2 * GemmTile.Columns, c20, c21, accumulate);
        Put(c + 3 * GemmTile.Columns, c30, c31, accumulate);
    }

    private static void Rows1x8<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector128<float>>
    {
        var c00 = Vector128<float>.Zero;
        var c01 = Vector128<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(a0, b1, c01);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
    }

    private static void Rows2x8<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector128<float>>
    {
        var c00 = Vector128<float>.Zero;
        var c01 = Vector128<float>.Zero;
        var c10 = Vector128<float>.Zero;
        var c11 = Vector128<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector128.Create(a[1]);
            c10 = Vector128.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(a1, b1, c11);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + GemmTile.Columns, c10, c11, accumulate);
    }

    private static void Rows4x8<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector128<float>>
    {
        var c00 = Vector128<float>.Zero;
        var c01 = Vector128<float>.Zero;
        var c10 = Vector128<float>.Zero;
        var c11 = Vector128<float>.Zero;
        var c20 = Vector128<float>.Zero;
        var c21 = Vector128<float>.Zero;
        var c30 = Vector128<float>.Zero;
        var c31 = Vector128<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector128.Create(a[1]);
            c10 = Vector128.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector128.Create(a[2]);
            c20 = Vector128.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector128.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector128.Create(a[3]);
            c30 = Vector128.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector128.MultiplyAddEstimate(a3, b1, c31);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + GemmTile.Columns, c10, c11, accumulate);
        if (rows > 2) Put(c + 2 * GemmTile.Columns, c20, c21, accumulate);
        if (rows > 3) Put(c + 3 * GemmTile.Columns, c30, c31, accumulate);
    }
}
