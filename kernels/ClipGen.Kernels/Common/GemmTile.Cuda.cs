using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ClipGen.Kernels;

/// <summary>An operand of a product as the tile reads it: element k of row r, 0 where a patch lies outside the picture.</summary>
internal interface ITileOperand
{
    /// <summary>Whether neighbouring rows lie side by side in memory, rather than neighbouring k: decides which way threads load.</summary>
    bool RowsAreNeighbours { get; }

    /// <summary>The element.</summary>
    float At(int row, int k);
}

/// <summary>Sums of four neighbours: a row of 128-bit reads, and of registers.</summary>
internal struct Float4
{
    public float X, Y, Z, W;

    /// <summary>this + scale · other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4 Plus(float scale, Float4 other) => new() { X = X + scale * other.X, Y = Y + scale * other.Y, Z = Z + scale * other.Z, W = W + scale * other.W };
}

/// <summary>Epilogue of a product, as kernels see it.</summary>
internal struct TileEpilogue
{
    public ArrayView<float> Bias, Residual;
    public int Activation;

    /// <summary>activation(sum + bias) + residual.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Finish(float sum, int column, long index)
    {
        if (Bias.Length > 0) sum += Bias[column];
        sum = DeviceActivation.Apply(Activation, sum);
        if (Residual.Length > 0) sum += Residual[index];
        return sum;
    }

    /// <summary>The same of four neighbours.</summary>
    /// <param name="sum">Their sums.</param>
    /// <param name="bias">Their columns' bias; zeros where there is none.</param>
    /// <param name="index">Number of the four in the output.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4 Finish(Float4 sum, Float4 bias, long index)
    {
        Float4 y = new()
        {
            X = DeviceActivation.Apply(Activation, sum.X + bias.X),
            Y = DeviceActivation.Apply(Activation, sum.Y + bias.Y),
            Z = DeviceActivation.Apply(Activation, sum.Z + bias.Z),
            W = DeviceActivation.Apply(Activation, sum.W + bias.W),
        };
        if (Residual.Length > 0) y = y.Plus(1, Residual.Cast<Float4>()[index]);
        return y;
    }
}

internal struct TileArguments<A, B> where A : struct, ITileOperand where B : struct, ITileOperand
{
    public A Left;
    public B Right;
    public ArrayView<float> Output;
    public TileEpilogue Epilogue;
    public int M, N, K;
}

/// <summary>
/// The float32 register tile that serves products, convolutions and their gradients: 64 x 64 results by 128 threads, eight rows of four each, K in slices of 16 through shared memory.
/// One result is one chain of multiply-adds in the order of k: its bits depend on its row of A, its row of B and K alone.
/// </summary>
internal static class GemmTileCuda
{
    /// <summary>Rows and columns of a tile.</summary>
    public const int Side = 64;

    /// <summary>Threads of its group.</summary>
    public const int Threads = 128;

    private const int Slice = 16;

    // A row of a slice in shared memory: four floats longer, so that neighbouring k lie in other banks and 128-bit reads stay aligned.
    private const int Row = Side + 4;

    /// <summary>One tile of <c>Y = epilogue(A · Bᵀ)</c>.</summary>
    [CudaKernel(typeof(TileRows), typeof(TileRows), typeof(TileRows), typeof(TileColumns), typeof(TileColumns), typeof(TileRows), typeof(TileColumns), typeof(TileColumns),
        typeof(TilePatches), typeof(TileRows), typeof(TileScatter), typeof(TileTaps), typeof(TileColumns), typeof(TilePatchColumns))]
    public static void GemmTile<A, B>(TileArguments<A, B> a) where A : struct, ITileOperand where B : struct, ITileOperand
    {
        var left = SharedMemory.Allocate<float>(Slice * Row);
        var right = SharedMemory.Allocate<float>(Slice * Row);
        var left4 = left.Cast<Float4>();
        var right4 = right.Cast<Float4>();
        int thread = Group.IdxX, firstRow = Grid.IdxX * Side, firstColumn = Grid.IdxY * Side;
        int rows = thread / 16 * 2, columns = thread % 16;
        Float4 c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        for (var k = 0; k < a.K; k += Slice)
        {
            Load(a.Left, left, firstRow, a.M, k, a.K);
            Load(a.Right, right, firstColumn, a.N, k, a.K);
            Group.Barrier();
            for (var i = 0; i < Slice; i++)
            {
                Float4 low = left4[i * (Row / 4) + rows], high = left4[i * (Row / 4) + rows + 1], b = right4[i * (Row / 4) + columns];
                c0 = c0.Plus(low.X, b);
                c1 = c1.Plus(low.Y, b);
                c2 = c2.Plus(low.Z, b);
                c3 = c3.Plus(low.W, b);
                c4 = c4.Plus(high.X, b);
                c5 = c5.Plus(high.Y, b);
                c6 = c6.Plus(high.Z, b);
                c7 = c7.Plus(high.W, b);
            }
            Group.Barrier();
        }
        int row = firstRow + rows * 4, column = firstColumn + columns * 4;
        Store(a, c0, row, column);
        Store(a, c1, row + 1, column);
        Store(a, c2, row + 2, column);
        Store(a, c3, row + 3, column);
        Store(a, c4, row + 4, column);
        Store(a, c5, row + 5, column);
        Store(a, c6, row + 6, column);
        Store(a, c7, row + 7, column);
    }

    /// <summary>A slice of 64 rows into shared memory, [k, row]; zeros beyond the operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<T>(T operand, ArrayView<float> shared, int firstRow, int rows, int firstK, int length) where T : struct, ITileOperand
    {
        for (var i = Group.IdxX; i < Slice * Side; i += Threads)
        {
            int row = operand.RowsAreNeighbours ? i % Side : i / Slice, k = operand.RowsAreNeighbours ? i / Side : i % Slice;
            var value = 0f;
            if (firstRow + row < rows && firstK + k < length) value = operand.At(firstRow + row, firstK + k);
            shared[k * Row + row] = value;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<A, B>(in TileArguments<A, B> a, Float4 sums, int row, int column) where A : struct, ITileOperand where B : struct, ITileOperand
    {
        if (row >= a.M) return;
        var index = (long)row * a.N + column;
        if (column < a.N) a.Output[index] = a.Epilogue.Finish(sums.X, column, index);
        if (column + 1 < a.N) a.Output[index + 1] = a.Epilogue.Finish(sums.Y, column + 1, index + 1);
        if (column + 2 < a.N) a.Output[index + 2] = a.Epilogue.Finish(sums.Z, column + 2, index + 2);
        if (column + 3 < a.N) a.Output[index + 3] = a.Epilogue.Finish(sums.W, column + 3, index + 3);
    }
}

/// <summary>A matrix of rows: x[r, k].</summary>
internal struct TileRows : ITileOperand
{
    public ArrayView<float> Values;
    public int Length;

    public readonly bool RowsAreNeighbours => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k) => Values[(long)row * Length + k];
}

/// <summary>A transposed one: x[k, r].</summary>
internal struct TileColumns : ITileOperand
{
    public ArrayView<float> Values;
    public int Rows;

    public readonly bool RowsAreNeighbours => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float At(int row, int k) => Values[(long)k * Rows + row];
}

public sealed partial class CudaBackend
{
    /// <summary>Tiles of a product over the plane of its results.</summary>
    private void Product<A, B>(A left, B right, int m, int n, int k, in Epilogue epilogue, View<float> output) where A : struct, ITileOperand where B : struct, ITileOperand
    {
        if (m == 0 || n == 0) return;
        Activations.Require(epilogue.Activation);
        const int side = GemmTileCuda.Side;
        Launch(GemmTileCuda.GemmTile, new Index2D((m + side - 1) / side, (n + side - 1) / side), GemmTileCuda.Threads, new TileArguments<A, B>
        {
            Left = left,
            Right = right,
            Output = View(output),
            Epilogue = new TileEpilogue { Bias = View(epilogue.Bias), Residual = View(epilogue.Residual), Activation = (int)epilogue.Activation },
            M = m,
            N = n,
            K = k,
        });
    }
}
