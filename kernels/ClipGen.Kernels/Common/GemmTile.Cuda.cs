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

    /// <summary>sum + x · y, a chain in their order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float AddDot(float sum, Float4 x, Float4 y)
    {
        sum += x.X * y.X;
        sum += x.Y * y.Y;
        sum += x.Z * y.Z;
        sum += x.W * y.W;
        return sum;
    }
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
/// The float32 register tiles that serve products, convolutions and their gradients: 64 x 64 results by 128 threads, eight rows of four each, K in slices of 16 through shared memory; where results are many, 128 x 64.
/// One result is one chain of multiply-adds in the order of k: its bits depend on its row of A, its row of B and K alone.
/// </summary>
internal static class GemmTileCuda
{
    /// <summary>Rows and columns of a tile.</summary>
    public const int Side = 64;

    /// <summary>Threads of its group.</summary>
    public const int Threads = 128;

    /// <summary>Rows of a wide tile.</summary>
    public const int WideRows = 128;

    private const int Slice = 16, WideSlice = 8;

    // A row of a slice in shared memory: four floats longer, so that neighbouring k lie in other banks and 128-bit reads stay aligned.
    private const int Row = Side + 4, WideRow = WideRows + 4;

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

    /// <summary>
    /// One tile of large products: 128 x 64 results, 8 x 8 a thread (rows 4 r and 64 + 4 r on, columns 4 c and 32 + 4 c on), so that four 128-bit reads feed 64 multiply-adds. Slices of 8 in two halves of
    /// shared memory: the next one comes from global memory to registers while the present one is multiplied, and one barrier a slice is enough. The bits are those of the small tile.
    /// </summary>
    [CudaKernel(typeof(TileRows), typeof(TileRows), typeof(TileRows), typeof(TileColumns), typeof(TileColumns), typeof(TileRows), typeof(TileColumns), typeof(TileColumns),
        typeof(TilePatches), typeof(TileRows), typeof(TileScatter), typeof(TileTaps), typeof(TileColumns), typeof(TilePatchColumns))]
    public static void GemmTileWide<A, B>(TileArguments<A, B> a) where A : struct, ITileOperand where B : struct, ITileOperand
    {
        var left = SharedMemory.Allocate<float>(2 * WideSlice * WideRow);
        var right = SharedMemory.Allocate<float>(2 * WideSlice * Row);
        var left4 = left.Cast<Float4>();
        var right4 = right.Cast<Float4>();
        int thread = Group.IdxX, firstRow = Grid.IdxX * WideRows, firstColumn = Grid.IdxY * Side;
        int rows = thread >> 3, columns = thread & 7;
        Float4 low0 = default, low1 = default, low2 = default, low3 = default, low4 = default, low5 = default, low6 = default, low7 = default;
        Float4 high0 = default, high1 = default, high2 = default, high3 = default, high4 = default, high5 = default, high6 = default, high7 = default;
        Float4 leftLow = Four(a.Left, 0, WideRows, firstRow, a.M, 0, a.K), leftHigh = Four(a.Left, 4, WideRows, firstRow, a.M, 0, a.K), next = Four(a.Right, 0, Side, firstColumn, a.N, 0, a.K);
        StoreFour(a.Left, left, leftLow, 0, WideRows, WideRow, 0);
        StoreFour(a.Left, left, leftHigh, 4, WideRows, WideRow, 0);
        StoreFour(a.Right, right, next, 0, Side, Row, 0);
        Group.Barrier();
        var half = 0;
        for (var k = WideSlice; k < a.K + WideSlice; k += WideSlice)
        {
            // Beyond the last slice zeros, which nobody multiplies.
            leftLow = Four(a.Left, 0, WideRows, firstRow, a.M, k, a.K);
            leftHigh = Four(a.Left, 4, WideRows, firstRow, a.M, k, a.K);
            next = Four(a.Right, 0, Side, firstColumn, a.N, k, a.K);
            int leftAt = half * (WideRow / 4) + rows, rightAt = half * (Row / 4) + columns;
            for (var i = 0; i < WideSlice; i++)
            {
                Float4 a0 = left4[leftAt], a1 = left4[leftAt + 16], b0 = right4[rightAt], b1 = right4[rightAt + 8];
                leftAt += WideRow / 4;
                rightAt += Row / 4;
                low0 = low0.Plus(a0.X, b0);
                high0 = high0.Plus(a0.X, b1);
                low1 = low1.Plus(a0.Y, b0);
                high1 = high1.Plus(a0.Y, b1);
                low2 = low2.Plus(a0.Z, b0);
                high2 = high2.Plus(a0.Z, b1);
                low3 = low3.Plus(a0.W, b0);
                high3 = high3.Plus(a0.W, b1);
                low4 = low4.Plus(a1.X, b0);
                high4 = high4.Plus(a1.X, b1);
                low5 = low5.Plus(a1.Y, b0);
                high5 = high5.Plus(a1.Y, b1);
                low6 = low6.Plus(a1.Z, b0);
                high6 = high6.Plus(a1.Z, b1);
                low7 = low7.Plus(a1.W, b0);
                high7 = high7.Plus(a1.W, b1);
            }
            half ^= WideSlice;
            StoreFour(a.Left, left, leftLow, 0, WideRows, WideRow, half);
            StoreFour(a.Left, left, leftHigh, 4, WideRows, WideRow, half);
            StoreFour(a.Right, right, next, 0, Side, Row, half);
            Group.Barrier();
        }
        int row = firstRow + rows * 4, column = firstColumn + columns * 4;
        Store(a, low0, row, column);
        Store(a, high0, row, column + 32);
        Store(a, low1, row + 1, column);
        Store(a, high1, row + 1, column + 32);
        Store(a, low2, row + 2, column);
        Store(a, high2, row + 2, column + 32);
        Store(a, low3, row + 3, column);
        Store(a, high3, row + 3, column + 32);
        Store(a, low4, row + 64, column);
        Store(a, high4, row + 64, column + 32);
        Store(a, low5, row + 65, column);
        Store(a, high5, row + 65, column + 32);
        Store(a, low6, row + 66, column);
        Store(a, high6, row + 66, column + 32);
        Store(a, low7, row + 67, column);
        Store(a, high7, row + 67, column + 32);
    }

    /// <summary>Four of a thread's elements of a slice, from the <paramref name="first"/>: neighbouring threads read what lies side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Four<T>(T operand, int first, int side, int firstRow, int rows, int firstK, int length) where T : struct, ITileOperand
    {
        return new Float4
        {
            X = Element(operand, first, side, firstRow, rows, firstK, length),
            Y = Element(operand, first + 1, side, firstRow, rows, firstK, length),
            Z = Element(operand, first + 2, side, firstRow, rows, firstK, length),
            W = Element(operand, first + 3, side, firstRow, rows, firstK, length),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Element<T>(T operand, int i, int side, int firstRow, int rows, int firstK, int length) where T : struct, ITileOperand
    {
        int row = firstRow + RowOf(operand, i, side), k = firstK + KOf(operand, i, side);
        return row < rows && k < length ? operand.At(row, k) : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFour<T>(T operand, ArrayView<float> shared, Float4 values, int first, int side, int stride, int half) where T : struct, ITileOperand
    {
        shared[(half + KOf(operand, first, side)) * stride + RowOf(operand, first, side)] = values.X;
        shared[(half + KOf(operand, first + 1, side)) * stride + RowOf(operand, first + 1, side)] = values.Y;
        shared[(half + KOf(operand, first + 2, side)) * stride + RowOf(operand, first + 2, side)] = values.Z;
        shared[(half + KOf(operand, first + 3, side)) * stride + RowOf(operand, first + 3, side)] = values.W;
    }

    /// <summary>Row of a thread's element i in a slice of so many rows: a row of its own where neighbouring rows lie side by side, otherwise every sixteenth.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RowOf<T>(T operand, int i, int side) where T : struct, ITileOperand => operand.RowsAreNeighbours ? Group.IdxX & side - 1 : (Group.IdxX >> 3) + 16 * i;

    /// <summary>Its k: of 128 rows all eight are one thread's, of 64 every other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int KOf<T>(T operand, int i, int side) where T : struct, ITileOperand => !operand.RowsAreNeighbours ? Group.IdxX & 7 : side == Threads ? i : (Group.IdxX >> 6) + 2 * i;

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
    private static TileEpilogue EpilogueOf(in Epilogue epilogue) => new() { Bias = View(epilogue.Bias), Residual = View(epilogue.Residual), Activation = (int)epilogue.Activation };

    /// <summary>Tiles of a product over the plane of its results.</summary>
    private void Product<A, B>(A left, B right, int m, int n, int k, in Epilogue epilogue, View<float> output) where A : struct, ITileOperand where B : struct, ITileOperand
    {
        if (m == 0 || n == 0) return;
        Activations.Require(epilogue.Activation);
        const int side = GemmTileCuda.Side, wide = GemmTileCuda.WideRows;
        int wideRows = (m + wide - 1) / wide, columns = (n + side - 1) / side;
        var arguments = new TileArguments<A, B>
        {
            Left = left,
            Right = right,
            Output = View(output),
            Epilogue = EpilogueOf(epilogue),
            M = m,
            N = n,
            K = k,
        };
        // Wide tiles only where there are two for every multiprocessor: fewer would leave more of the card empty than small ones lose.
        if ((long)wideRows * columns >= 2L * accelerator.NumMultiprocessors) Launch(GemmTileCuda.GemmTileWide, new Index2D(wideRows, columns), GemmTileCuda.Threads, arguments);
        else Launch(GemmTileCuda.GemmTile, new Index2D((m + side - 1) / side, columns), GemmTileCuda.Threads, arguments);
    }
}
