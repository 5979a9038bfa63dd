using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>An operand of a tensor-core product: bf16 numbers in chunks of eight neighbours, along k or along the rows.</summary>
internal interface IChunkOperand
{
    /// <summary>Whether the eight are neighbours along k; along the rows otherwise.</summary>
    bool KIsInner { get; }

    /// <summary>Where the chunks lie.</summary>
    ArrayView<UInt4> Chunks { get; }

    /// <summary>Place of the chunk whose first element is (row, k), or −1 where there is nothing but zeros.</summary>
    long At(int row, int k);
}

internal struct TensorCoreArguments<A, B> where A : struct, IChunkOperand where B : struct, IChunkOperand
{
    public A Left;
    public B Right;
    public ArrayView<float> Output;
    public TileEpilogue Epilogue;
    public int M, N, K;

    /// <summary>Columns come in stretches of this many, of which the first <see cref="StretchColumns"/> are stored: what was filled up to whole chunks is left out.</summary>
    public int Stretch, StretchColumns;
}

internal struct RoundRowsArguments
{
    public ArrayView<float> Input;
    public ArrayView<UInt4> Output;
    public int Width, Chunks;
}

/// <summary>
/// Products on tensor cores: 128 x 128 results by four warps of 64 x 64, k in slices of 32 that arrive in shared memory by asynchronous copies, two slices ahead. Chunks lie there permuted (chunk xor row),
/// so that the eight rows of a matrix lie in different banks.
/// </summary>
internal static class TensorCoreTileCuda
{
    /// <summary>Rows and columns of a tile.</summary>
    public const int Side = 128;

    /// <summary>Threads of its group.</summary>
    public const int Threads = 128;

    /// <summary>Numbers of a chunk.</summary>
    public const int Chunk = 8;

    private const int Slice = 32;
    private const int Stages = 3;
    private const int StageChunks = Side * Slice / Chunk;

    // Eight floats longer than a tile's: the eight rows that a warp writes at once lie in different banks.
    private const int ResultRow = Side + 8;

    /// <summary>One tile of <c>Y = epilogue(A · Bᵀ)</c>.</summary>
    [CudaKernel(typeof(ChunkRows), typeof(ChunkRows), typeof(ChunkRows), typeof(ChunkColumns), typeof(ChunkColumns), typeof(ChunkRows), typeof(ChunkColumns), typeof(ChunkColumns),
        typeof(ChunkPatches), typeof(ChunkRows), typeof(ChunkScatter), typeof(ChunkTaps), typeof(ChunkColumns), typeof(ChunkPatchColumns))]
    public static void TensorCoreTile<A, B>(TensorCoreArguments<A, B> a) where A : struct, IChunkOperand where B : struct, IChunkOperand
    {
        var left = SharedMemory.Allocate<UInt4>(Stages * StageChunks);
        var right = SharedMemory.Allocate<UInt4>(Stages * StageChunks);
        int firstRow = Grid.IdxX * Side, firstColumn = Grid.IdxY * Side;
        int warp = Group.IdxX / GroupReduce.WarpSize, warpRow = warp / 2 * 64, warpColumn = warp % 2 * 64;
        var inside = firstRow + warpRow < a.M && firstColumn + warpColumn < a.N;
        TensorCoreSums c0 = default, c1 = default, c2 = default, c3 = default;
        var slices = (a.K + Slice - 1) / Slice;
        for (var slice = 0; slice < Stages - 1; slice++)
        {
            Load(a.Left, left, slice, firstRow);
            Load(a.Right, right, slice, firstColumn);
            AsyncCopy.Commit();
        }
        for (var slice = 0; slice < slices; slice++)
        {
            AsyncCopy.WaitForAllButNewest();
            // After it, this slice is there for all, and nobody still reads the one before, whose place the next load takes.
            Group.Barrier();
            Load(a.Left, left, slice + Stages - 1, firstRow);
            Load(a.Right, right, slice + Stages - 1, firstColumn);
            AsyncCopy.Commit();
            if (!inside) continue;
            var stage = slice % Stages * StageChunks;
            for (var half = 0; half < 2; half++)
            {
                UInt4 b0 = Tile(a.Right, right, stage, warpColumn, half), b1 = Tile(a.Right, right, stage, warpColumn + 16, half);
                UInt4 b2 = Tile(a.Right, right, stage, warpColumn + 32, half), b3 = Tile(a.Right, right, stage, warpColumn + 48, half);
                c0 = c0.Plus(Tile(a.Left, left, stage, warpRow, half), b0, b1, b2, b3);
                c1 = c1.Plus(Tile(a.Left, left, stage, warpRow + 16, half), b0, b1, b2, b3);
                c2 = c2.Plus(Tile(a.Left, left, stage, warpRow + 32, half), b0, b1, b2, b3);
                c3 = c3.Plus(Tile(a.Left, left, stage, warpRow + 48, half), b0, b1, b2, b3);
            }
        }
        // Nobody reads operands any more: their place is the results', 32 rows at a time, so that rows are stored as a whole.
        var results = left.Cast<float>();
        Store(a, c0, results, firstRow, firstColumn, warp);
        Store(a, c1, results, firstRow + 16, firstColumn, warp);
        Store(a, c2, results, firstRow + 32, firstColumn, warp);
        Store(a, c3, results, firstRow + 48, firstColumn, warp);
    }

    /// <summary>A thread per chunk: rows of floats as rows of bf16, filled up with zeros to whole chunks.</summary>
    [CudaKernel]
    public static void RoundRows(RoundRowsArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step)
        {
            var row = i / a.Chunks;
            int column = (int)(i - row * a.Chunks) * Chunk, left = a.Width - column;
            var from = row * a.Width + column;
            UInt4 chunk = default;
            chunk.X = Pair(a.Input, from, left);
            chunk.Y = Pair(a.Input, from + 2, left - 2);
            chunk.Z = Pair(a.Input, from + 4, left - 4);
            chunk.W = Pair(a.Input, from + 6, left - 6);
            a.Output[i] = chunk;
        }
    }

    /// <summary>Two neighbours as a word of bf16, zeros beyond what is left.</summary>
    public static uint Pair(ArrayView<float> values, long at, int left)
    {
        float low = 0, high = 0;
        if (left > 0) low = values[at];
        if (left > 1) high = values[at + 1];
        return BFloat16.Pack(low, high);
    }

    /// <summary>Begins to copy a slice to its stage: along k 128 rows of four chunks, else 32 rows of sixteen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<T>(T operand, ArrayView<UInt4> shared, int slice, int first) where T : struct, IChunkOperand
    {
        var stage = slice % Stages * StageChunks;
        for (var i = Group.IdxX; i < StageChunks; i += Threads)
        {
            int inner = operand.KIsInner ? 4 : Side / Chunk, line = i / inner, chunk = i % inner;
            var at = operand.KIsInner ? operand.At(first + line, slice * Slice + chunk * Chunk) : operand.At(first + chunk * Chunk, slice * Slice + line);
            var bytes = at < 0 ? 0 : 16;
            if (at < 0) at = 0;
            var chunks = operand.Chunks;
            AsyncCopy.Copy(ref shared[stage + Place(operand.KIsInner, line, chunk)], ref chunks[at], bytes);
        }
    }

    /// <summary>16 rows and 16 k, from <paramref name="row"/> and the slice's half on: (rows 0 to 7, k 0 to 7), (8 to 15, 0 to 7), (0 to 7, 8 to 15), (8 to 15, 8 to 15).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UInt4 Tile<T>(T operand, ArrayView<UInt4> shared, int stage, int row, int half) where T : struct, IChunkOperand
    {
        int lane = Warp.LaneIdx, matrix = lane / 8, line = lane % 8;
        return operand.KIsInner
            ? TensorCore.LoadMatrices(ref shared[stage + Place(true, row + matrix % 2 * 8 + line, half * 2 + matrix / 2)])
            : TensorCore.LoadTransposedMatrices(ref shared[stage + Place(false, half * 16 + matrix / 2 * 8 + line, row / Chunk + matrix % 2)]);
    }

    // Eight lines of a matrix: along k two share 128 bytes, else each has 256 of its own.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Place(bool kIsInner, int line, int chunk) => kIsInner ? line * 4 + (chunk ^ (line >> 1 & 3)) : line * (Side / Chunk) + (chunk ^ (line & 7));

    /// <summary>16 rows of each warp: those of the upper two warps from <paramref name="firstRow"/> on, those of the lower two 64 rows below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<A, B>(in TensorCoreArguments<A, B> a, TensorCoreSums sums, ArrayView<float> results, int firstRow, int firstColumn, int warp) where A : struct, IChunkOperand where B : struct, IChunkOperand
    {
        Group.Barrier();
        var at = (warp / 2 * 16 + Warp.LaneIdx / 4) * ResultRow + warp % 2 * 64 + Warp.LaneIdx % 4 * 2;
        Put(results, at, sums.C0);
        Put(results, at + 8, sums.C1);
        Put(results, at + 16, sums.C2);
        Put(results, at + 24, sums.C3);
        Put(results, at + 32, sums.C4);
        Put(results, at + 40, sums.C5);
        Put(results, at + 48, sums.C6);
        Put(results, at + 56, sums.C7);
        Group.Barrier();
        // A thread per column; its place among those that are stored.
        int column = firstColumn + Group.IdxX, stretch = column / a.Stretch, within = column - stretch * a.Stretch, stored = stretch * a.StretchColumns + within;
        if (column >= a.N || within >= a.StretchColumns) return;
        var width = a.N / a.Stretch * a.StretchColumns;
        for (var i = 0; i < 32; i++)
        {
            var row = firstRow + i % 16 + i / 16 * 64;
            if (row >= a.M) continue;
            var index = (long)row * width + stored;
            a.Output[index] = a.Epilogue.Finish(results[i * ResultRow + Group.IdxX], stored, index);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ArrayView<float> results, int at, Float4 sums)
    {
        results[at] = sums.X;
        results[at + 1] = sums.Y;
        results[at + 8 * ResultRow] = sums.Z;
        results[at + 8 * ResultRow + 1] = sums.W;
    }
}

/// <summary>A matrix of rows, filled up along k.</summary>
internal struct ChunkRows : IChunkOperand
{
    public ArrayView<UInt4> Values;
    public int Rows, RowChunks;

    public readonly bool KIsInner => true;

    public readonly ArrayView<UInt4> Chunks => Values;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long At(int row, int k) => row < Rows && k < RowChunks * TensorCoreTileCuda.Chunk ? (long)row * RowChunks + k / TensorCoreTileCuda.Chunk : -1;
}

/// <summary>A transposed one, x[k, row], filled up along the rows.</summary>
internal struct ChunkColumns : IChunkOperand
{
    public ArrayView<UInt4> Values;
    public int K, RowChunks;

    public readonly bool KIsInner => false;

    public readonly ArrayView<UInt4> Chunks => Values;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly long At(int row, int k) => k < K && row < RowChunks * TensorCoreTileCuda.Chunk ? (long)k * RowChunks + row / TensorCoreTileCuda.Chunk : -1;
}

public sealed partial class CudaBackend
{
    /// <summary>Whether products round their operands to bf16 and run on tensor cores. Sums, results and everything else stay float32.</summary>
    public bool BFloat16Products { get; set; }

    /// <summary>Numbers filled up to whole chunks.</summary>
    private static int Filled(int count) => checked(count + TensorCoreTileCuda.Chunk - 1) / TensorCoreTileCuda.Chunk * TensorCoreTileCuda.Chunk;

    /// <summary>Rows of floats as filled-up rows of bf16.</summary>
    private DeviceMemory Rounded(View<float> rows, long count, int width, out ArrayView<UInt4> chunks)
    {
        var each = Filled(width) / TensorCoreTileCuda.Chunk;
        // One at least: where nothing is copied an address is still formed.
        var memory = Allocate(16 * Math.Max(1, count * each));
        chunks = View(new View<UInt4>(memory, 0, Math.Max(1, count * each)));
        LaunchOver(TensorCoreTileCuda.RoundRows, count * each, new RoundRowsArguments { Input = View(rows), Output = chunks, Width = width, Chunks = each });
        return memory;
    }

    /// <summary>Tiles of a product over the plane of its results.</summary>
    private void TensorCoreProduct<A, B>(A left, B right, int m, int n, int k, in Epilogue epilogue, View<float> output, int stretch = 0, int stretchColumns = 0) where A : struct, IChunkOperand where B : struct, IChunkOperand
    {
        if (m == 0 || n == 0) return;
        Activations.Require(epilogue.Activation);
        const int side = TensorCoreTileCuda.Side;
        Launch(TensorCoreTileCuda.TensorCoreTile, new Index2D((m + side - 1) / side, (n + side - 1) / side), TensorCoreTileCuda.Threads, new TensorCoreArguments<A, B>
        {
            Left = left,
            Right = right,
            Output = View(output),
            Epilogue = new TileEpilogue { Bias = View(epilogue.Bias), Residual = View(epilogue.Residual), Activation = (int)epilogue.Activation },
            M = m,
            N = n,
            K = k,
            Stretch = stretch > 0 ? stretch : n,
            StretchColumns = stretch > 0 ? stretchColumns : n,
        });
    }

    /// <summary>A product of matrices.</summary>
    private void TensorCoreProduct(in MatMulShape shape, View<float> a, View<float> b, in Epilogue epilogue, View<float> output)
    {
        int m = shape.M, n = shape.N, k = shape.K;
        using var left = shape.TransposeA ? Rounded(a, k, m, out var x) : Rounded(a, m, k, out x);
        using var right = shape.TransposeB ? Rounded(b, k, n, out var w) : Rounded(b, n, k, out w);
        ChunkRows leftRows = new() { Values = x, Rows = m, RowChunks = Filled(k) / TensorCoreTileCuda.Chunk }, rightRows = new() { Values = w, Rows = n, RowChunks = leftRows.RowChunks };
        ChunkColumns leftColumns = new() { Values = x, K = k, RowChunks = Filled(m) / TensorCoreTileCuda.Chunk }, rightColumns = new() { Values = w, K = k, RowChunks = Filled(n) / TensorCoreTileCuda.Chunk };
        switch (shape.TransposeA, shape.TransposeB)
        {
            case (false, false): TensorCoreProduct(leftRows, rightRows, m, n, k, epilogue, output); break;
            case (false, true): TensorCoreProduct(leftRows, rightColumns, m, n, k, epilogue, output); break;
            case (true, false): TensorCoreProduct(leftColumns, rightRows, m, n, k, epilogue, output); break;
            default: TensorCoreProduct(leftColumns, rightColumns, m, n, k, epilogue, output); break;
        }
    }
}
