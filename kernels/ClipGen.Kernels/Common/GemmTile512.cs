using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

// Written out row by row: the JIT keeps named locals in registers, but an array or a loop over accumulators in memory.
/// <summary>The tile with 512-bit vectors: up to 12 rows x 32 columns of sums in registers, from two panels of B at once.</summary>
internal static unsafe class GemmTile512
{
    private const int PanelRows = 12;

    /// <summary>Columns of one call: both panels of a group.</summary>
    internal const int Width = 32;

    internal static void Multiply<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        if (rows <= 1) Rows1x32<L>(a, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 2) Rows2x32<L>(a, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 4) Rows4x32<L>(a, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 6) Rows6x32<L>(a, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
        else if (rows <= 8) Rows8x32<L>(a, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
        else Rows12x32<L>(a, b, panelBytes, depth, rows, c, accumulate, ahead, aheadStep);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector512<float> left, Vector512<float> right, bool accumulate)
    {
        if (accumulate)
        {
            left += Vector512.Load(c);
            right += Vector512.Load(c + 16);
        }
        left.Store(c);
        right.Store(c + 16);
    }

    /// <summary>
    /// A full tile whose rows of A lie <paramref name="aStride"/> floats apart in memory and are read in place, k by k: what a convolution
    /// inside a picture needs. The same chains of multiply-adds as the packed tile, so the same bits.
    /// </summary>
    internal static void Strided(float* a, long aStride, float* b, long panelFloats, int depth, float* c, bool accumulate, byte* ahead, int aheadStep)
    {
        var two = 2 * aStride;
        var a3 = a + 3 * aStride;
        var a6 = a + 6 * aStride;
        var a9 = a + 9 * aStride;
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        var c20 = Vector512<float>.Zero;
        var c21 = Vector512<float>.Zero;
        var c30 = Vector512<float>.Zero;
        var c31 = Vector512<float>.Zero;
        var c40 = Vector512<float>.Zero;
        var c41 = Vector512<float>.Zero;
        var c50 = Vector512<float>.Zero;
        var c51 = Vector512<float>.Zero;
        var c60 = Vector512<float>.Zero;
        var c61 = Vector512<float>.Zero;
        var c70 = Vector512<float>.Zero;
        var c71 = Vector512<float>.Zero;
        var c80 = Vector512<float>.Zero;
        var c81 = Vector512<float>.Zero;
        var c90 = Vector512<float>.Zero;
        var c91 = Vector512<float>.Zero;
        var c100 = Vector512<float>.Zero;
        var c101 = Vector512<float>.Zero;
        var c110 = Vector512<float>.Zero;
        var c111 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + panelFloats);
            var x0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(x0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(x0, b1, c01);
            var x1 = Vector512.Create(a[aStride]);
            c10 = Vector512.MultiplyAddEstimate(x1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(x1, b1, c11);
            var x2 = Vector512.Create(a[two]);
            c20 = Vector512.MultiplyAddEstimate(x2, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(x2, b1, c21);
            var x3 = Vector512.Create(*a3);
            c30 = Vector512.MultiplyAddEstimate(x3, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(x3, b1, c31);
            var x4 = Vector512.Create(a3[aStride]);
            c40 = Vector512.MultiplyAddEstimate(x4, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(x4, b1, c41);
            var x5 = Vector512.Create(a3[two]);
            c50 = Vector512.MultiplyAddEstimate(x5, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(x5, b1, c51);
            var x6 = Vector512.Create(*a6);
            c60 = Vector512.MultiplyAddEstimate(x6, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(x6, b1, c61);
            var x7 = Vector512.Create(a6[aStride]);
            c70 = Vector512.MultiplyAddEstimate(x7, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(x7, b1, c71);
            var x8 = Vector512.Create(a6[two]);
            c80 = Vector512.MultiplyAddEstimate(x8, b0, c80);
            c81 = Vector512.MultiplyAddEstimate(x8, b1, c81);
            var x9 = Vector512.Create(*a9);
            c90 = Vector512.MultiplyAddEstimate(x9, b0, c90);
            c91 = Vector512.MultiplyAddEstimate(x9, b1, c91);
            var x10 = Vector512.Create(a9[aStride]);
            c100 = Vector512.MultiplyAddEstimate(x10, b0, c100);
            c101 = Vector512.MultiplyAddEstimate(x10, b1, c101);
            var x11 = Vector512.Create(a9[two]);
            c110 = Vector512.MultiplyAddEstimate(x11, b0, c110);
            c111 = Vector512.MultiplyAddEstimate(x11, b1, c111);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelFloats * sizeof(float));
            ahead += aheadStep;
            a++;
            a3++;
            a6++;
            a9++;
            b += GemmTile.PanelColumns;
        }
        Put(c, c00, c01, accumulate);
        Put(c + GemmTile.Columns, c10, c11, accumulate);
        Put(c + 2 * GemmTile.Columns, c20, c21, accumulate);
        Put(c + 3 * GemmTile.Columns, c30, c31, accumulate);
        Put(c + 4 * GemmTile.Columns, c40, c41, accumulate);
        Put(c + 5 * GemmTile.Columns, c50, c51, accumulate);
        Put(c + 6 * GemmTile.Columns, c60, c61, accumulate);
        Put(c + 7 * GemmTile.Columns, c70, c71, accumulate);
        Put(c + 8 * GemmTile.Columns, c80, c81, accumulate);
        Put(c + 9 * GemmTile.Columns, c90, c91, accumulate);
        Put(c + 10 * GemmTile.Columns, c100, c101, accumulate);
        Put(c + 11 * GemmTile.Columns, c110, c111, accumulate);
    }

    private static void Rows1x32<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.First(b + panelBytes);
            var a0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelBytes);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
    }

    private static void Rows2x32<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.First(b + panelBytes);
            var a0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector512.Create(a[1]);
            c10 = Vector512.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(a1, b1, c11);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelBytes);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + GemmTile.Columns, c10, c11, accumulate);
    }

    private static void Rows4x32<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        var c20 = Vector512<float>.Zero;
        var c21 = Vector512<float>.Zero;
        var c30 = Vector512<float>.Zero;
        var c31 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.First(b + panelBytes);
            var a0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector512.Create(a[1]);
            c10 = Vector512.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector512.Create(a[2]);
            c20 = Vector512.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector512.Create(a[3]);
            c30 = Vector512.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(a3, b1, c31);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelBytes);
            ahead += aheadStep;
            a += PanelRows;
            b += L.Step;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + GemmTile.Columns, c10, c11, accumulate);
        if (rows > 2) Put(c + 2 * GemmTile.Columns, c20, c21, accumulate);
        if (rows > 3) Put(c + 3 * GemmTile.Columns, c30, c31, accumulate);
    }

    private static void Rows6x32<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        var c20 = Vector512<float>.Zero;
        var c21 = Vector512<float>.Zero;
        var c30 = Vector512<float>.Zero;
        var c31 = Vector512<float>.Zero;
        var c40 = Vector512<float>.Zero;
        var c41 = Vector512<float>.Zero;
        var c50 = Vector512<float>.Zero;
        var c51 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.First(b + panelBytes);
            var a0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector512.Create(a[1]);
            c10 = Vector512.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector512.Create(a[2]);
            c20 = Vector512.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector512.Create(a[3]);
            c30 = Vector512.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(a3, b1, c31);
            var a4 = Vector512.Create(a[4]);
            c40 = Vector512.MultiplyAddEstimate(a4, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(a4, b1, c41);
            var a5 = Vector512.Create(a[5]);
            c50 = Vector512.MultiplyAddEstimate(a5, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(a5, b1, c51);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelBytes);
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

    private static void Rows8x32<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        var c20 = Vector512<float>.Zero;
        var c21 = Vector512<float>.Zero;
        var c30 = Vector512<float>.Zero;
        var c31 = Vector512<float>.Zero;
        var c40 = Vector512<float>.Zero;
        var c41 = Vector512<float>.Zero;
        var c50 = Vector512<float>.Zero;
        var c51 = Vector512<float>.Zero;
        var c60 = Vector512<float>.Zero;
        var c61 = Vector512<float>.Zero;
        var c70 = Vector512<float>.Zero;
        var c71 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.First(b + panelBytes);
            var a0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector512.Create(a[1]);
            c10 = Vector512.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector512.Create(a[2]);
            c20 = Vector512.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector512.Create(a[3]);
            c30 = Vector512.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(a3, b1, c31);
            var a4 = Vector512.Create(a[4]);
            c40 = Vector512.MultiplyAddEstimate(a4, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(a4, b1, c41);
            var a5 = Vector512.Create(a[5]);
            c50 = Vector512.MultiplyAddEstimate(a5, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(a5, b1, c51);
            var a6 = Vector512.Create(a[6]);
            c60 = Vector512.MultiplyAddEstimate(a6, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(a6, b1, c61);
            var a7 = Vector512.Create(a[7]);
            c70 = Vector512.MultiplyAddEstimate(a7, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(a7, b1, c71);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelBytes);
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
        if (rows > 6) Put(c + 6 * GemmTile.Columns, c60, c61, accumulate);
        if (rows > 7) Put(c + 7 * GemmTile.Columns, c70, c71, accumulate);
    }

    private static void Rows12x32<L>(float* a, byte* b, long panelBytes, int depth, int rows, float* c, bool accumulate, byte* ahead, int aheadStep) where L : struct, IPanelLoad<Vector512<float>>
    {
        var c00 = Vector512<float>.Zero;
        var c01 = Vector512<float>.Zero;
        var c10 = Vector512<float>.Zero;
        var c11 = Vector512<float>.Zero;
        var c20 = Vector512<float>.Zero;
        var c21 = Vector512<float>.Zero;
        var c30 = Vector512<float>.Zero;
        var c31 = Vector512<float>.Zero;
        var c40 = Vector512<float>.Zero;
        var c41 = Vector512<float>.Zero;
        var c50 = Vector512<float>.Zero;
        var c51 = Vector512<float>.Zero;
        var c60 = Vector512<float>.Zero;
        var c61 = Vector512<float>.Zero;
        var c70 = Vector512<float>.Zero;
        var c71 = Vector512<float>.Zero;
        var c80 = Vector512<float>.Zero;
        var c81 = Vector512<float>.Zero;
        var c90 = Vector512<float>.Zero;
        var c91 = Vector512<float>.Zero;
        var c100 = Vector512<float>.Zero;
        var c101 = Vector512<float>.Zero;
        var c110 = Vector512<float>.Zero;
        var c111 = Vector512<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = L.First(b);
            var b1 = L.First(b + panelBytes);
            var a0 = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector512.Create(a[1]);
            c10 = Vector512.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(a1, b1, c11);
            var a2 = Vector512.Create(a[2]);
            c20 = Vector512.MultiplyAddEstimate(a2, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(a2, b1, c21);
            var a3 = Vector512.Create(a[3]);
            c30 = Vector512.MultiplyAddEstimate(a3, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(a3, b1, c31);
            var a4 = Vector512.Create(a[4]);
            c40 = Vector512.MultiplyAddEstimate(a4, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(a4, b1, c41);
            var a5 = Vector512.Create(a[5]);
            c50 = Vector512.MultiplyAddEstimate(a5, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(a5, b1, c51);
            var a6 = Vector512.Create(a[6]);
            c60 = Vector512.MultiplyAddEstimate(a6, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(a6, b1, c61);
            var a7 = Vector512.Create(a[7]);
            c70 = Vector512.MultiplyAddEstimate(a7, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(a7, b1, c71);
            var a8 = Vector512.Create(a[8]);
            c80 = Vector512.MultiplyAddEstimate(a8, b0, c80);
            c81 = Vector512.MultiplyAddEstimate(a8, b1, c81);
            var a9 = Vector512.Create(a[9]);
            c90 = Vector512.MultiplyAddEstimate(a9, b0, c90);
            c91 = Vector512.MultiplyAddEstimate(a9, b1, c91);
            var a10 = Vector512.Create(a[10]);
            c100 = Vector512.MultiplyAddEstimate(a10, b0, c100);
            c101 = Vector512.MultiplyAddEstimate(a10, b1, c101);
            var a11 = Vector512.Create(a[11]);
            c110 = Vector512.MultiplyAddEstimate(a11, b0, c110);
            c111 = Vector512.MultiplyAddEstimate(a11, b1, c111);
            GemmTile.Prefetch(ahead);
            GemmTile.Prefetch(ahead + panelBytes);
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
        if (rows > 6) Put(c + 6 * GemmTile.Columns, c60, c61, accumulate);
        if (rows > 7) Put(c + 7 * GemmTile.Columns, c70, c71, accumulate);
        if (rows > 8) Put(c + 8 * GemmTile.Columns, c80, c81, accumulate);
        if (rows > 9) Put(c + 9 * GemmTile.Columns, c90, c91, accumulate);
        if (rows > 10) Put(c + 10 * GemmTile.Columns, c100, c101, accumulate);
        if (rows > 11) Put(c + 11 * GemmTile.Columns, c110, c111, accumulate);
    }
}
