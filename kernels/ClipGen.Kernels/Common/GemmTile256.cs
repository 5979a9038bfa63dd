using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

// Written out row by row: the JIT keeps named locals in registers, but an array or a loop over accumulators in memory.
/// <summary>The tile with 256-bit vectors: up to 6 rows x 16 columns of sums in registers, one panel of B at a time.</summary>
internal static unsafe class GemmTile256
{
    private const int PanelRows = 6;

    /// <summary>Columns of one call: one panel.</summary>
    internal const int Width = 16;

    internal static void Multiply<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector256<float>>
    {
        if (rows <= 1) Rows1x16<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 2) Rows2x16<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 4) Rows4x16<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
        else Rows6x16<L>(a, b, depth, rows, c, accumulate, ahead, aheadStep);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector256<float> left, Vector256<float> right, bool accumulate)
    {
        if (accumulate)
        {
            left += Vector256.Load(c);
            right += Vector256.Load(c + 8);
        }
        left.Store(c);
        right.Store(c + 8);
    }

    /// <summary>
    /// A full tile whose rows of A lie <paramref name="aStride"/> floats apart in memory and are read in place, k by k: what a convolution
    /// inside a picture needs. The same chains of multiply-adds as the packed tile, so the same bits.
    /// </summary>
    internal static void Strided(float* a, long aStride, float* b, int depth, float* c, bool accumulate, byte* ahead, int aheadStep)
    {
        var two = 2 * aStride;
        var a3 = a + 3 * aStride;
        var c00 = Vector256<float>.Zero;
        var c01 = Vector256<float>.Zero;
        var c10 = Vector256<float>.Zero;
        var c11 = Vector256<float>.Zero;
        var c20 = Vector256<float>.Zero;
        var c21 = Vector256<float>.Zero;
        var c30 = Vector256<float>.Zero;
        var c31 = Vector256<float>.Zero;
        var c40 = Vector256<float>.Zero;
        var c41 = Vector256<float>.Zero;
        var c50 = Vector256<float>.Zero;
        var c51 = Vector256<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = Vector256.Load(b);
            var b1 = Vector256.Load(b + 8);
            var x0 = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(x0, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(x0, b1, c01);
            var x1 = Vector256.Create(a[aStride]);
            c10 = Vector256.MultiplyAddEstimate(x1, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(x1, b1, c11);
            var x2 = Vector256.Create(a[two]);
            c20 = Vector256.MultiplyAddEstimate(x2, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(x2, b1, c21);
            var x3 = Vector256.Create(*a3);
            c30 = Vector256.MultiplyAddEstimate(x3, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(x3, b1, c31);
            var x4 = Vector256.Create(a3[aStride]);
            c40 = Vector256.MultiplyAddEstimate(x4, b0, c40);
            c41 = Vector256.MultiplyAddEstimate(x4, b1, c41);
            var x5 = Vector256.Create(a3[two]);
            c50 = Vector256.MultiplyAddEstimate(x5, b0, c50);
            c51 = Vector256.MultiplyAddEstimate(x5, b1, c51);
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
        Put(c + 4 * GemmTile.Columns, c40, c41, accumulate);
        Put(c + 5 * GemmTile.Columns, c50, c51, accumulate);
    }

    private static void Rows1x16<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector256<float>>
    {
        var c00 = Vector256<float>.Zero;
        var c01 = Vector256<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(a0, b1, c01);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
    }

    private static void Rows2x16<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector256<float>>
    {
        var c00 = Vector256<float>.Zero;
        var c01 = Vector256<float>.Zero;
        var c10 = Vector256<float>.Zero;
        var c11 = Vector256<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector256.Create(a[1]);
            c10 = Vector256.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(a1, b1, c11);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + GemmTile.Columns, c10, c11, accumulate);
    }

    private static void Rows4x16<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector256<float>>
    {
        var c00 = Vector256<float>.Zero;
        var c01 = Vector256<float>.Zero;
        var c10 = Vector256<float>.Zero;
        var c11 = Vector256<float>.Zero;
        var c20 = Vector256<float>.Zero;
        var c21 = Vector256<float>.Zero;
        var c30 = Vector256<float>.Zero;
        var c31 = Vector256<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector256.Create(a[1]);
            c10 = Vector256.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector256.Create(a[2]);
            c20 = Vector256.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector256.Create(a[3]);
            c30 = Vector256.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(a3, b1, c31);
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

    private static void Rows6x16<L>(float* a, byte* b, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector256<float>>
    {
        var c00 = Vector256<float>.Zero;
        var c01 = Vector256<float>.Zero;
        var c10 = Vector256<float>.Zero;
        var c11 = Vector256<float>.Zero;
        var c20 = Vector256<float>.Zero;
        var c21 = Vector256<float>.Zero;
        var c30 = Vector256<float>.Zero;
        var c31 = Vector256<float>.Zero;
        var c40 = Vector256<float>.Zero;
        var c41 = Vector256<float>.Zero;
        var c50 = Vector256<float>.Zero;
        var c51 = Vector256<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.Second(b);
            var a0 = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector256.Create(a[1]);
            c10 = Vector256.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector256.Create(a[2]);
            c20 = Vector256.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector256.Create(a[3]);
            c30 = Vector256.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(a3, b1, c31);
            var a4 = Vector256.Create(a[4]);
            c40 = Vector256.MultiplyAddEstimate(a4, b0, c40);
            c41 = Vector256.MultiplyAddEstimate(a4, b1, c41);
            var a5 = Vector256.Create(a[5]);
            c50 = Vector256.MultiplyAddEstimate(a5, b0, c50);
            c51 = Vector256.MultiplyAddEstimate(a5, b1, c51);
            GemmTile.Prefetch(ahead);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + GemmTile.Columns, c10, c11, accumulate);
        if (rows > 2) Put(c + 2 * GemmTile.Columns, c20, c21, accumulate);
        if (rows > 3) Put(c + 3 * GemmTile.Columns, c30, c31, accumulate);
        if (rows > 4) Put(c + 4 * GemmTile.Columns, c40, c41, accumulate);
        if (rows > 5) Put(c + 5 * GemmTile.Columns, c50, c51, accumulate);
    }
}
