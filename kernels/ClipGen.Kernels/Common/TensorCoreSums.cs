using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>A row of eight tiles of sums, 16 x 8 each: what a warp adds to with one tile of A.</summary>
internal struct TensorCoreSums
{
    public Float4 C0, C1, C2, C3, C4, C5, C6, C7;

    /// <summary>this + A · Bᵀ for the 64 rows of B in four loads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TensorCoreSums Plus(UInt4 a, UInt4 b0, UInt4 b1, UInt4 b2, UInt4 b3) => new()
    {
        C0 = TensorCore.Mma(C0, a, Upper(b0)),
        C1 = TensorCore.Mma(C1, a, Lower(b0)),
        C2 = TensorCore.Mma(C2, a, Upper(b1)),
        C3 = TensorCore.Mma(C3, a, Lower(b1)),
        C4 = TensorCore.Mma(C4, a, Upper(b2)),
        C5 = TensorCore.Mma(C5, a, Lower(b2)),
        C6 = TensorCore.Mma(C6, a, Upper(b3)),
        C7 = TensorCore.Mma(C7, a, Lower(b3)),
    };

    // A 16 x 16 tile of a right operand is two of eight rows, their words side by side: the instruction takes a pair of neighbouring registers.
    private static UInt2 Upper(UInt4 tile) => new() { X = tile.X, Y = tile.Y };

    private static UInt2 Lower(UInt4 tile) => new() { X = tile.Z, Y = tile.W };

    /// <summary>Every tile through a function; lane 4 g + t of a tile has (row g, two columns), (row g + 8, the same).</summary>
    /// <param name="function">The function.</param>
    /// <param name="column">This lane's first column in the first tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TensorCoreSums Map<F>(F function, int column) where F : struct, ITensorCoreFunction => new()
    {
        C0 = function.Apply(C0, column),
        C1 = function.Apply(C1, column + 8),
        C2 = function.Apply(C2, column + 16),
        C3 = function.Apply(C3, column + 24),
        C4 = function.Apply(C4, column + 32),
        C5 = function.Apply(C5, column + 40),
        C6 = function.Apply(C6, column + 48),
        C7 = function.Apply(C7, column + 56),
    };

    /// <summary>Pairs of tiles through a function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly TensorCoreSums Zip<F>(in TensorCoreSums other, F function, int column) where F : struct, ITensorCorePairFunction => new()
    {
        C0 = function.Apply(C0, other.C0, column),
        C1 = function.Apply(C1, other.C1, column + 8),
        C2 = function.Apply(C2, other.C2, column + 16),
        C3 = function.Apply(C3, other.C3, column + 24),
        C4 = function.Apply(C4, other.C4, column + 32),
        C5 = function.Apply(C5, other.C5, column + 40),
        C6 = function.Apply(C6, other.C6, column + 48),
        C7 = function.Apply(C7, other.C7, column + 56),
    };

    /// <summary>Largest of the row g, over the four lanes that have it.</summary>
    public readonly float UpperMax => QuadMax(Larger(Larger(Larger(C0.X, C0.Y), Larger(C1.X, C1.Y)), Larger(Larger(C2.X, C2.Y), Larger(C3.X, C3.Y))),
        Larger(Larger(Larger(C4.X, C4.Y), Larger(C5.X, C5.Y)), Larger(Larger(C6.X, C6.Y), Larger(C7.X, C7.Y))));

    /// <summary>Largest of the row g + 8.</summary>
    public readonly float LowerMax => QuadMax(Larger(Larger(Larger(C0.Z, C0.W), Larger(C1.Z, C1.W)), Larger(Larger(C2.Z, C2.W), Larger(C3.Z, C3.W))),
        Larger(Larger(Larger(C4.Z, C4.W), Larger(C5.Z, C5.W)), Larger(Larger(C6.Z, C6.W), Larger(C7.Z, C7.W))));

    /// <summary>Sum of what this lane has of row g.</summary>
    public readonly float UpperSum => C0.X + C0.Y + (C1.X + C1.Y) + (C2.X + C2.Y + (C3.X + C3.Y)) + (C4.X + C4.Y + (C5.X + C5.Y) + (C6.X + C6.Y + (C7.X + C7.Y)));

    /// <summary>Sum of what this lane has of row g + 8.</summary>
    public readonly float LowerSum => C0.Z + C0.W + (C1.Z + C1.W) + (C2.Z + C2.W + (C3.Z + C3.W)) + (C4.Z + C4.W + (C5.Z + C5.W) + (C6.Z + C6.W + (C7.Z + C7.W)));

    /// <summary>Two tiles as a left operand of 16 x 16: what a warp has as sums it has as an operand, word for word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static UInt4 Operand(Float4 left, Float4 right) => new() { X = BFloat16.Pack(left.X, left.Y), Y = BFloat16.Pack(left.Z, left.W), Z = BFloat16.Pack(right.X, right.Y), W = BFloat16.Pack(right.Z, right.W) };

    /// <summary>Sum over the four lanes that have a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float QuadSum(float value)
    {
        value += Warp.ShuffleXor(value, 1);
        return value + Warp.ShuffleXor(value, 2);
    }

    private static float QuadMax(float left, float right)
    {
        var value = Larger(left, right);
        value = Larger(value, Warp.ShuffleXor(value, 1));
        return Larger(value, Warp.ShuffleXor(value, 2));
    }

    private static float Larger(float x, float y) => x > y ? x : y;
}

/// <summary>A function of the elements of a tile of sums.</summary>
internal interface ITensorCoreFunction
{
    /// <summary>The lane's four elements: (row g, column and the next), (row g + 8, the same).</summary>
    Float4 Apply(Float4 sums, int column);
}

/// <summary>A function of the elements of two tiles of sums.</summary>
internal interface ITensorCorePairFunction
{
    /// <inheritdoc cref="ITensorCoreFunction.Apply"/>
    Float4 Apply(Float4 sums, Float4 others, int column);
}
