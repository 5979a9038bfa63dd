using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>What of a chunk's place in memory its row decides, or its k.</summary>
internal struct ChunkPart
{
    /// <summary>Share of the chunk's number; −1 where a matrix has nothing there.</summary>
    public int Place;

    /// <summary>Shares of the line and column of a picture.</summary>
    public int Line, Column;
}

/// <summary>An operand of a tensor-core product: bf16 numbers in chunks of eight neighbours, along k or along the rows.</summary>
internal interface IChunkOperand
{
    /// <summary>Whether the eight are neighbours along k; along the rows otherwise.</summary>
    bool KIsInner { get; }

    /// <summary>Where the chunks lie.</summary>
    ArrayView<UInt4> Chunks { get; }

    /// <summary>What a row decides.</summary>
    ChunkPart RowPart(int row);

    /// <summary>What k decides.</summary>
    ChunkPart KPart(int k);

    /// <summary>Place of the chunk whose first element is (row, k), or −1 where there is nothing but zeros.</summary>
    int At(ChunkPart row, ChunkPart k);
}

internal struct TensorCoreArguments<A, B> where A : struct, IChunkOperand where B : struct, IChunkOperand
{
    public A Left;
    public B Right;
    public ArrayView<float> Output;
    public TileEpilogue Epilogue;
    public int M, N, K;

    /// <summary>Slices of k that a group goes through; those of the next group go to the next M rows of the output.</summary>
    public int Slices;

    /// <summary>Tiles from top to bottom, and how many of them are neighbours in the order of the groups.</summary>
    public int RowTiles, Band;

    /// <summary>Columns come in stretches of this many, of which the first <see cref="StretchColumns"/> are stored: what was filled up to whole chunks is left out.</summary>
    public int Stretch, StretchColumns;

    /// <summary>Whether rows of the output and of the residual are whole 16 bytes that lie aligned.</summary>
    public int Aligned;
}

internal struct AddSplitsArguments
{
    public ArrayView<float> Parts, Output;
    public TileEpilogue Epilogue;
    public int Splits, Columns;
}

internal struct RoundRowsArguments
{
    public ArrayView<float> Input;
    public ArrayView<UInt4> Output;
    public int Width, Chunks, Aligned;
}

/// <summary>What a thread brings of each slice of an operand: four chunks, whose rows (where k is inner) or whose row (where rows are) stay the same.</summary>
internal struct ChunkSlots
{
    public ChunkPart R0, R1, R2, R3;

    /// <summary>Where the first goes in a stage; the others follow 128 chunks apart.</summary>
    public int Target;

    /// <summary>k of the first, within a slice.</summary>
    public int K;
}

/// <summary>Where a lane finds its rows of an operand's four tiles of 16 rows, in the first half of a stage.</summary>
internal struct ChunkTiles
{
    public int P0, P1, P2, P3;
}

/// <summary>
/// Products on tensor cores: 128 x 128 results by four warps of 64 x 64, k in slices of 32 that arrive in shared memory by asynchronous copies, two slices ahead. Chunks lie there permuted (chunk xor row),
/// so that the eight rows of a matrix lie in different banks. Where there are too few tiles to fill a card, k is split over several groups, whose sums a second kernel adds in their order.
/// </summary>
internal static class TensorCoreTileCuda
{
    /// <summary>Rows and columns of a tile.</summary>
    public const int Side = 128;

    /// <summary>Threads of its group.</summary>
    public const int Threads = 128;

    /// <summary>Numbers of a chunk.</summary>
    public const int Chunk = 8;

    /// <summary>k of a slice.</summary>
    public const int Slice = 32;

    private const int Stages = 3;
    private const int StageChunks = Side * Slice / Chunk;

    // Chunks from the left operand's stages to the right one's.
    private const int Right = Stages * StageChunks;

    // Eight floats longer than a tile's: the eight rows that a warp writes at once lie in different banks.
    private const int ResultRow = Side + 8;

    /// <summary>One tile of <c>Y = epilogue(A · Bᵀ)</c>.</summary>
    [CudaKernel(typeof(ChunkRows), typeof(ChunkRows), typeof(ChunkRows), typeof(ChunkColumns), typeof(ChunkColumns), typeof(ChunkRows), typeof(ChunkColumns), typeof(ChunkColumns),
        typeof(ChunkPatches), typeof(ChunkRows), typeof(ChunkPatches), typeof(ChunkTaps), typeof(ChunkScatter), typeof(ChunkTaps), typeof(ChunkColumns), typeof(ChunkPatchColumns))]
    public static void TensorCoreTile<A, B>(TensorCoreArguments<A, B> a) where A : struct, IChunkOperand where B : struct, IChunkOperand
    {
        var shared = SharedMemory.Allocate<UInt4>(2 * Right);
        // Groups that run at once take neighbouring tiles, a band of rows after the other: what one of them read is still in the cache for the others.
        int columnTiles = (a.N + Side - 1) / Side, band = Grid.IdxX / (a.Band * columnTiles), within = Grid.IdxX - band * a.Band * columnTiles;
        var height = a.RowTiles - band * a.Band < a.Band ? a.RowTiles - band * a.Band : a.Band;
        int tileColumn = within / height, firstRow = (band * a.Band + within - tileColumn * height) * Side, firstColumn = tileColumn * Side;
        int warp = Group.IdxX / GroupReduce.WarpSize, warpRow = (warp >> 1) * 64, warpColumn = (warp & 1) * 64;
        var left = SlotsOf(a.Left, firstRow);
        var right = SlotsOf(a.Right, firstColumn);
        var leftTiles = TilesOf(a.Left.KIsInner, warpRow, 0, 1);
        var rightTiles = TilesOf(a.Right.KIsInner, warpColumn, 1, 0);
        var slices = (a.K + Slice - 1) / Slice;
        int slice = Grid.IdxY * a.Slices, end = slice + a.Slices < slices ? slice + a.Slices : slices;
        Load(a.Left, left, shared, 0, slice);
        Load(a.Right, right, shared, Right, slice);
        AsyncCopy.Commit();
        Load(a.Left, left, shared, StageChunks, slice + 1);
        Load(a.Right, right, shared, Right + StageChunks, slice + 1);
        AsyncCopy.Commit();
        TensorCoreSums c0 = default, c1 = default, c2 = default, c3 = default;
        // The second half of the slice before: multiplied while the first half of this one goes to registers, as this one's second half does while its first is multiplied. Nothing waits for shared memory.
        UInt4 d0 = default, d1 = default, d2 = default, d3 = default, e0 = default, e1 = default, e2 = default, e3 = default;
        int read = 0, write = 2 * StageChunks;
        for (; slice < end; slice++)
        {
            AsyncCopy.WaitForAllButNewest();
            // After it, this slice is there for all, and nobody still reads the one before, whose place the next load takes.
            Group.Barrier();
            UInt4 b0 = Tile(a.Right, shared, Right + read, rightTiles.P0), b1 = Tile(a.Right, shared, Right + read, rightTiles.P1);
            UInt4 b2 = Tile(a.Right, shared, Right + read, rightTiles.P2), b3 = Tile(a.Right, shared, Right + read, rightTiles.P3);
            UInt4 a0 = Tile(a.Left, shared, read, leftTiles.P0), a1 = Tile(a.Left, shared, read, leftTiles.P1);
            UInt4 a2 = Tile(a.Left, shared, read, leftTiles.P2), a3 = Tile(a.Left, shared, read, leftTiles.P3);
            c0 = c0.Plus(d0, e0, e1, e2, e3);
            c1 = c1.Plus(d1, e0, e1, e2, e3);
            c2 = c2.Plus(d2, e0, e1, e2, e3);
            c3 = c3.Plus(d3, e0, e1, e2, e3);
            e0 = SecondTile(a.Right, shared, Right + read, rightTiles.P0);
            e1 = SecondTile(a.Right, shared, Right + read, rightTiles.P1);
            e2 = SecondTile(a.Right, shared, Right + read, rightTiles.P2);
            e3 = SecondTile(a.Right, shared, Right + read, rightTiles.P3);
            d0 = SecondTile(a.Left, shared, read, leftTiles.P0);
            d1 = SecondTile(a.Left, shared, read, leftTiles.P1);
            d2 = SecondTile(a.Left, shared, read, leftTiles.P2);
            d3 = SecondTile(a.Left, shared, read, leftTiles.P3);
            c0 = c0.Plus(a0, b0, b1, b2, b3);
            Load(a.Left, left, shared, write, slice + 2);
            c1 = c1.Plus(a1, b0, b1, b2, b3);
            Load(a.Right, right, shared, Right + write, slice + 2);
            AsyncCopy.Commit();
            c2 = c2.Plus(a2, b0, b1, b2, b3);
            c3 = c3.Plus(a3, b0, b1, b2, b3);
            write = Next(write);
            read = Next(read);
        }
        c0 = c0.Plus(d0, e0, e1, e2, e3);
        c1 = c1.Plus(d1, e0, e1, e2, e3);
        c2 = c2.Plus(d2, e0, e1, e2, e3);
        c3 = c3.Plus(d3, e0, e1, e2, e3);
        // Copies beyond the end are still on their way. Then nobody writes or reads operands any more: their place is the results', 64 rows at a time, so that rows are stored as a whole.
        AsyncCopy.WaitForAll();
        var results = shared.Cast<float>();
        Group.Barrier();
        Put(results, c0, warp, 0);
        Put(results, c1, warp, 16);
        Group.Barrier();
        Store(a, results, firstRow, firstColumn, warp);
        Group.Barrier();
        Put(results, c2, warp, 0);
        Put(results, c3, warp, 16);
        Group.Barrier();
        Store(a, results, firstRow + 32, firstColumn, warp);
    }

    /// <summary>Sums of groups that split k, added in their order.</summary>
    [CudaKernel]
    public static void AddSplits(AddSplitsArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step)
        {
            var sum = 0f;
            for (var split = 0; split < a.Splits; split++) sum += a.Parts[split * a.Output.Length + i];
            a.Output[i] = a.Epilogue.Finish(sum, (int)(i % a.Columns), i);
        }
    }

    /// <summary>A thread per chunk: rows of floats as rows of bf16, filled up with zeros to whole chunks.</summary>
    [CudaKernel]
    public static void RoundRows(RoundRowsArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step)
        {
            UInt4 chunk;
            if (a.Aligned != 0)
            {
                // Rows of whole chunks follow one another without a gap.
                chunk = WholeChunk(a.Input, 2 * i);
            }
            else
            {
                var row = i / a.Chunks;
                var column = (int)(i - row * a.Chunks) * Chunk;
                chunk = PartialChunk(a.Input, row * a.Width + column, a.Width - column);
            }
            a.Output[i] = chunk;
        }
    }

    /// <summary>Eight neighbours in bf16, of values that begin at 16 bytes: those from the given four on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static UInt4 WholeChunk(ArrayView<float> values, long four)
    {
        var fours = values.Cast<Float4>();
        Float4 low = fours[four], high = fours[four + 1];
        return new UInt4 { X = BFloat16.Pack(low.X, low.Y), Y = BFloat16.Pack(low.Z, low.W), Z = BFloat16.Pack(high.X, high.Y), W = BFloat16.Pack(high.Z, high.W) };
    }

    /// <summary>Eight neighbours from anywhere on, zeros beyond what is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static UInt4 PartialChunk(ArrayView<float> values, long at, int left) =>
        new() { X = Pair(values, at, left), Y = Pair(values, at + 2, left - 2), Z = Pair(values, at + 4, left - 4), W = Pair(values, at + 6, left - 6) };

    private static uint Pair(ArrayView<float> values, long at, int left)
    {
        float low = 0, high = 0;
        if (left > 0) low = values[at];
        if (left > 1) high = values[at + 1];
        return BFloat16.Pack(low, high);
    }

    private static int Next(int stage) => stage == 2 * StageChunks ? 0 : stage + StageChunks;

    /// <summary>What this thread brings: along k 128 rows of four chunks, 32 rows apart; else 32 rows of sixteen, eight k apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ChunkSlots SlotsOf<T>(T operand, int first) where T : struct, IChunkOperand
    {
        var thread = Group.IdxX;
        ChunkSlots slots = default;
        if (operand.KIsInner)
        {
            int line = thread >> 2, chunk = thread & 3;
            slots.R0 = operand.RowPart(first + line);
            slots.R1 = operand.RowPart(first + line + 32);
            slots.R2 = operand.RowPart(first + line + 64);
            slots.R3 = operand.RowPart(first + line + 96);
            slots.Target = Place(true, line, chunk);
            slots.K = chunk * Chunk;
        }
        else
        {
            int line = thread >> 4, chunk = thread & 15;
            slots.R0 = operand.RowPart(first + chunk * Chunk);
            slots.Target = Place(false, line, chunk);
            slots.K = line;
        }
        return slots;
    }

    /// <summary>Begins to copy a slice to its stage.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<T>(T operand, ChunkSlots slots, ArrayView<UInt4> shared, int stage, int slice) where T : struct, IChunkOperand
    {
        int target = stage + slots.Target, k = slice * Slice + slots.K;
        if (operand.KIsInner)
        {
            var part = operand.KPart(k);
            Copy(operand, operand.At(slots.R0, part), shared, target);
            Copy(operand, operand.At(slots.R1, part), shared, target + 128);
            Copy(operand, operand.At(slots.R2, part), shared, target + 256);
            Copy(operand, operand.At(slots.R3, part), shared, target + 384);
        }
        else
        {
            Copy(operand, operand.At(slots.R0, operand.KPart(k)), shared, target);
            Copy(operand, operand.At(slots.R0, operand.KPart(k + 8)), shared, target + 128);
            Copy(operand, operand.At(slots.R0, operand.KPart(k + 16)), shared, target + 256);
            Copy(operand, operand.At(slots.R0, operand.KPart(k + 24)), shared, target + 384);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy<T>(T operand, int at, ArrayView<UInt4> shared, int target) where T : struct, IChunkOperand
    {
        var chunks = operand.Chunks;
        AsyncCopy.Copy(ref shared[target], ref chunks[at < 0 ? 0 : at], at < 0 ? 0 : 16);
    }

    /// <summary>Where this lane's row of each tile of 16 rows lies: lane 8 i + r names row r of matrix i, and the matrices are (rows 0 to 7, k 0 to 7) and its neighbours eight rows and eight k further on.</summary>
    /// <param name="kIsInner">Which way the chunks lie.</param>
    /// <param name="first">First row of the warp.</param>
    /// <param name="rowBit">Bit of the matrix's number that means the later rows.</param>
    /// <param name="kBit">Bit that means the later k. A left operand has rows first, a right one k: as the instruction takes its words.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ChunkTiles TilesOf(bool kIsInner, int first, int rowBit, int kBit)
    {
        int lane = Warp.LaneIdx, matrix = lane >> 3, line = lane & 7, later = matrix >> rowBit & 1, laterK = matrix >> kBit & 1;
        if (kIsInner)
        {
            var place = Place(true, first + later * 8 + line, laterK);
            return new ChunkTiles { P0 = place, P1 = place + 64, P2 = place + 128, P3 = place + 192 };
        }
        var transposed = Place(false, laterK * 8 + line, first / Chunk + later);
        return new ChunkTiles { P0 = transposed, P1 = transposed ^ 2, P2 = transposed ^ 4, P3 = transposed ^ 6 };
    }

    /// <summary>16 rows and the first 16 k of a slice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UInt4 Tile<T>(T operand, ArrayView<UInt4> shared, int stage, int place) where T : struct, IChunkOperand =>
        operand.KIsInner ? TensorCore.LoadMatrices(ref shared[stage + place]) : TensorCore.LoadTransposedMatrices(ref shared[stage + place]);

    /// <summary>The same rows and the other 16 k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UInt4 SecondTile<T>(T operand, ArrayView<UInt4> shared, int stage, int place) where T : struct, IChunkOperand =>
        operand.KIsInner ? TensorCore.LoadMatrices(ref shared[stage + (place ^ 2)]) : TensorCore.LoadTransposedMatrices(ref shared[stage + place + 16 * (Side / Chunk)]);

    // Eight lines of a matrix: along k two share 128 bytes, else each has 256 of its own.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Place(bool kIsInner, int line, int chunk) => kIsInner ? line * 4 + (chunk ^ (line >> 1 & 3)) : line * (Side / Chunk) + (chunk ^ (line & 7));

    /// <summary>16 rows of each warp: those of the upper two warps in the first 32 rows, those of the lower two in the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ArrayView<float> results, TensorCoreSums sums, int warp, int row)
    {
        var at = ((warp >> 1) * 32 + row + Warp.LaneIdx / 4) * ResultRow + (warp & 1) * 64 + (Warp.LaneIdx & 3) * 2;
        Put(results, at, sums.C0);
        Put(results, at + 8, sums.C1);
        Put(results, at + 16, sums.C2);
        Put(results, at + 24, sums.C3);
        Put(results, at + 32, sums.C4);
        Put(results, at + 40, sums.C5);
        Put(results, at + 48, sums.C6);
        Put(results, at + 56, sums.C7);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(ArrayView<float> results, int at, Float4 sums)
    {
        results[at] = sums.X;
        results[at + 1] = sums.Y;
        results[at + 8 * ResultRow] = sums.Z;
        results[at + 8 * ResultRow + 1] = sums.W;
    }

    /// <summary>32 rows from <paramref name="firstRow"/> on and 32 that follow 64 rows below: a warp per row, four columns a lane.</summary>
    private static void Store<A, B>(in TensorCoreArguments<A, B> a, ArrayView<float> results, int firstRow, int firstColumn, int warp) where A : struct, IChunkOperand where B : struct, IChunkOperand
    {
        var column = firstColumn + Warp.LaneIdx * 4;
        if (column >= a.N) return;
        var part = (long)Grid.IdxY * a.M;
        var rows = results.Cast<Float4>();
        if (a.Aligned != 0)
        {
            var output = a.Output.Cast<Float4>();
            var bias = Float4Of(a.Epilogue.Bias, column);
            for (var i = warp; i < 64; i += Threads / GroupReduce.WarpSize)
            {
                var row = firstRow + (i & 31) + (i >> 5) * 64;
                if (row >= a.M) return;
                var at = ((part + row) * a.N + column) >> 2;
                output[at] = a.Epilogue.Finish(rows[i * (ResultRow / 4) + Warp.LaneIdx], bias, at);
            }
            return;
        }
        var width = a.N / a.Stretch * a.StretchColumns;
        for (var i = warp; i < 64; i += Threads / GroupReduce.WarpSize)
        {
            var row = firstRow + (i & 31) + (i >> 5) * 64;
            if (row >= a.M) return;
            for (var c = column; c < column + 4; c++)
            {
                int stretch = c / a.Stretch, place = c - stretch * a.Stretch, stored = stretch * a.StretchColumns + place;
                if (c >= a.N || place >= a.StretchColumns) continue;
                var index = (part + row) * width + stored;
                a.Output[index] = a.Epilogue.Finish(results[i * ResultRow + c - firstColumn], stored, index);
            }
        }
    }

    /// <summary>Four neighbours; zeros of an argument that was left out.</summary>
    private static Float4 Float4Of(ArrayView<float> values, int at)
    {
        Float4 four = default;
        if (values.Length == 0) return four;
        four.X = values[at];
        four.Y = values[at + 1];
        four.Z = values[at + 2];
        four.W = values[at + 3];
        return four;
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
    public readonly ChunkPart RowPart(int row) => new() { Place = row < Rows ? row * RowChunks : -1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart KPart(int k) => new() { Place = k >> 3 < RowChunks ? k >> 3 : -1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(ChunkPart row, ChunkPart k) => row.Place < 0 | k.Place < 0 ? -1 : row.Place + k.Place;
}

/// <summary>A transposed one, x[k, row], filled up along the rows.</summary>
internal struct ChunkColumns : IChunkOperand
{
    public ArrayView<UInt4> Values;
    public int K, RowChunks;

    public readonly bool KIsInner => false;

    public readonly ArrayView<UInt4> Chunks => Values;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart RowPart(int row) => new() { Place = row >> 3 < RowChunks ? row >> 3 : -1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ChunkPart KPart(int k) => new() { Place = k < K ? k * RowChunks : -1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int At(ChunkPart row, ChunkPart k) => row.Place < 0 | k.Place < 0 ? -1 : row.Place + k.Place;
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
        Arguments.Require(count * each <= int.MaxValue, $"{count} rows of {width} floats: kernels count an operand's chunks of eight in 31 bits", nameof(BFloat16Products));
        // One at least: where nothing is copied an address is still formed.
        var memory = Allocate(16 * Math.Max(1, count * each));
        chunks = View(new View<UInt4>(memory, 0, Math.Max(1, count * each)));
        LaunchOver(TensorCoreTileCuda.RoundRows, count * each, new RoundRowsArguments { Input = View(rows), Output = chunks, Width = width, Chunks = each, Aligned = width % TensorCoreTileCuda.Chunk == 0 && HasWholeQuads(rows) ? 1 : 0 });
        return memory;
    }

    /// <summary>The same of weights, kept with them: they are rounded when they are first multiplied.</summary>
    private ArrayView<UInt4> Rounded(PackedMatrix weights, long count, int width)
    {
        if (weights.Companion is RoundedWeights kept && kept.Width == width) return kept.Chunks;
        // Recorded, it would happen only when the work is launched, and others would find nothing there.
        RequireNoRecording();
        var memory = Rounded(Rows(weights), count, width, out var chunks);
        weights.Companion?.Dispose();
        weights.Companion = new RoundedWeights(memory, chunks, width);
        return chunks;
    }

    private sealed class RoundedWeights(DeviceMemory memory, ArrayView<UInt4> chunks, int width) : IDisposable
    {
        public ArrayView<UInt4> Chunks => chunks;

        public int Width => width;

        public void Dispose() => memory.Dispose();
    }

    /// <summary>Tiles of a product over the plane of its results.</summary>
    private void TensorCoreProduct<A, B>(A left, B right, int m, int n, int k, in Epilogue epilogue, View<float> output, int stretch = 0, int stretchColumns = 0) where A : struct, IChunkOperand where B : struct, IChunkOperand
    {
        if (m == 0 || n == 0) return;
        Activations.Require(epilogue.Activation);
        const int side = TensorCoreTileCuda.Side;
        int rowTiles = (m + side - 1) / side, columnTiles = (n + side - 1) / side, slices = (k + TensorCoreTileCuda.Slice - 1) / TensorCoreTileCuda.Slice;
        var tiles = checked(rowTiles * columnTiles);
        // A multiprocessor holds two groups. Where there are fewer tiles than that, k is split: at least eight slices each, or bringing the first ones would take longest.
        var splits = Math.Clamp(Math.Min(2 * accelerator.NumMultiprocessors / tiles, slices / 8), 1, 64);
        var each = Math.Max(1, (slices + splits - 1) / splits);
        splits = Math.Max(1, (slices + each - 1) / each);
        var columns = stretch > 0 ? n / stretch * stretchColumns : n;
        var finish = EpilogueOf(epilogue);
        using var memory = splits > 1 ? Allocate(4L * splits * m * columns) : null;
        var parts = memory is null ? output : new View<float>(memory, 0, (long)splits * m * columns);
        Launch(TensorCoreTileCuda.TensorCoreTile, new Index2D(tiles, splits), TensorCoreTileCuda.Threads, new TensorCoreArguments<A, B>
        {
            Left = left,
            Right = right,
            Output = View(parts),
            Epilogue = memory is null ? finish : default,
            M = m,
            N = n,
            K = k,
            Slices = each,
            RowTiles = rowTiles,
            Band = Math.Min(8, rowTiles),
            Stretch = stretch > 0 ? stretch : n,
            StretchColumns = stretch > 0 ? stretchColumns : n,
            Aligned = columns == n && n % 4 == 0 && HasWholeQuads(parts) && (memory is not null || HasWholeQuads(epilogue.Residual)) ? 1 : 0,
        });
        if (memory is not null)
            LaunchOver(TensorCoreTileCuda.AddSplits, (long)m * columns, new AddSplitsArguments { Parts = View(parts), Output = View(output).SubView(0, (long)m * columns), Epilogue = finish, Splits = splits, Columns = columns });
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
