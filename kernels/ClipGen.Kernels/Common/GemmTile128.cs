using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

// Written out row by row: the JIT keeps named locals in registers, but an array or a loop over accumulators in memory.
/// <summary>The tile with 128-bit vectors: up to 4 rows x 8 columns of sums in registers, 4 passes over the panel of B.</summary>
internal static unsafe class GemmTile128
{
    private const int PanelRows = 4;

    internal static void Multiply(float* a, float* b, int depth, int rows, float* c, long ldc, bool accumulate)
    {
        for (var column = 0; column < GemmTile.Columns; column += 8)
        {
            if (rows <= 1) Rows1x8(a, b + column, depth, rows, c + column, ldc, accumulate);
            else if (rows <= 2) Rows2x8(a, b + column, depth, rows, c + column, ldc, accumulate);
            else Rows4x8(a, b + column, depth, rows, c + column, ldc, accumulate);
        }
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

    private static void Rows1x8(float* a, float* b, int depth, int rows, float* c, long ldc, bool accumulate)
    {
        var c00 = Vector128<float>.Zero;
        var c01 = Vector128<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = Vector128.Load(b);
            var b1 = Vector128.Load(b + 4);
            var a0 = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(a0, b1, c01);
            a += PanelRows;
            b += GemmTile.Columns;
        }
        Put(c, c00, c01, accumulate);
    }

    private static void Rows2x8(float* a, float* b, int depth, int rows, float* c, long ldc, bool accumulate)
    {
        var c00 = Vector128<float>.Zero;
        var c01 = Vector128<float>.Zero;
        var c10 = Vector128<float>.Zero;
        var c11 = Vector128<float>.Zero;
        for (var k = 0; k < depth; k++)
        {
            var b0 = Vector128.Load(b);
            var b1 = Vector128.Load(b + 4);
            var a0 = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(a0, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(a0, b1, c01);
            var a1 = Vector128.Create(a[1]);
            c10 = Vector128.MultiplyAddEstimate(a1, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(a1, b1, c11);
            a += PanelRows;
            b += GemmTile.Columns;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + 1 * ldc, c10, c11, accumulate);
    }

    private static void Rows4x8(float* a, float* b, int depth, int rows, float* c, long ldc, bool accumulate)
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
            var b0 = Vector128.Load(b);
            var b1 = Vector128.Load(b + 4);
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
            a += PanelRows;
            b += GemmTile.Columns;
        }
        Put(c, c00, c01, accumulate);
        if (rows > 1) Put(c + 1 * ldc, c10, c11, accumulate);
        if (rows > 2) Put(c + 2 * ldc, c20, c21, accumulate);
        if (rows > 3) Put(c + 3 * ldc, c30, c31, accumulate);
    }
}
