using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend
{
    /// <summary>Whether attention runs on tensor cores: wider heads (the VQ-GAN's one of 512 channels) do not fit the tile.</summary>
    private bool OnTensorCores(in AttentionShape s) => BFloat16Products && s.HeadSize <= AttentionTensorCoreCuda.Side && s.KeyLength > 0;

    private void TensorCoreAttention(in AttentionShape s, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        using var q = RoundedHeads(s, query, s.QueryLength, s.QueryStride, out var queries);
        using var k = RoundedHeads(s, key, s.KeyLength, s.KeyStride, out var keys);
        using var v = RoundedHeads(s, value, s.KeyLength, s.KeyStride, out var values);
        using var bits = WeightBits(s, dropout, out var kept);
        Launch(AttentionTensorCoreCuda.AttentionTensorCore, new Index2D(s.Batch * s.Heads, TilesOf(s.QueryLength)), AttentionTensorCoreCuda.Threads,
            TensorCoreArgumentsOf(s, dropout, kept, queries, keys, values) with { Output = View(output), Stride = s.OutputStride });
    }

    private void TensorCoreAttentionBackward(in AttentionShape s, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient,
        View<float> queryGradient, View<float> keyGradient, View<float> valueGradient)
    {
        using var q = RoundedHeads(s, query, s.QueryLength, s.QueryStride, out var queries);
        using var k = RoundedHeads(s, key, s.KeyLength, s.KeyStride, out var keys);
        using var v = RoundedHeads(s, value, s.KeyLength, s.KeyStride, out var values);
        using var g = RoundedHeads(s, outputGradient, s.QueryLength, s.OutputStride, out var gradients);
        using var bits = WeightBits(s, dropout, out var kept);
        int heads = s.Batch * s.Heads;
        // A tile of columns is read as a whole, the last one beyond the end.
        var rows = (long)heads * s.QueryLength + 2 * AttentionTensorCoreCuda.Side;
        using var memory = Allocate(8 * rows);
        View<float> logSums = new(memory, 0, rows), deltas = new(memory, rows, rows);
        var arguments = TensorCoreArgumentsOf(s, dropout, kept, queries, keys, values) with { OutputGradient = gradients, LogSums = View(logSums), Deltas = View(deltas) };
        Launch(AttentionTensorCoreCuda.AttentionTensorCore, new Index2D(heads, TilesOf(s.QueryLength)), AttentionTensorCoreCuda.Threads, arguments with { Deltas = default });
        Launch(AttentionTensorCoreCuda.AttentionDeltas, new Index2D(heads, s.QueryLength), GroupReduce.WarpSize, new AttentionDeltaArguments
        {
            Output = View(output),
            OutputGradient = View(outputGradient),
            Deltas = View(deltas),
            Heads = s.Heads,
            Size = s.HeadSize,
            Length = s.QueryLength,
            Stride = s.OutputStride,
        });
        Launch(AttentionTensorCoreCuda.AttentionTensorCoreQueryGradient, new Index2D(heads, TilesOf(s.QueryLength)), AttentionTensorCoreCuda.Threads, arguments with { Output = View(queryGradient), Stride = s.QueryStride });
        Launch(AttentionTensorCoreCuda.AttentionTensorCoreKeyGradient, new Index2D(heads, TilesOf(s.KeyLength)), AttentionTensorCoreCuda.Threads, arguments with { Output = View(keyGradient), ValueGradient = View(valueGradient), Stride = s.KeyStride });
    }

    private static AttentionTensorCoreArguments TensorCoreArgumentsOf(in AttentionShape s, in DropoutMask dropout, ArrayView<uint> kept, ArrayView<UInt4> query, ArrayView<UInt4> key, ArrayView<UInt4> value) => new()
    {
        Query = query,
        Key = key,
        Value = value,
        Kept = kept,
        KeptScale = dropout.Scale,
        Heads = s.Heads,
        Size = s.HeadSize,
        QueryLength = s.QueryLength,
        KeyLength = s.KeyLength,
        Causal = s.Causal ? 1 : 0,
        Scale = (float)(1 / Math.Sqrt(s.HeadSize)),
    };

    /// <summary>Which weights a dropout keeps. Tiles reach beyond the last row and column.</summary>
    private DeviceMemory? WeightBits(in AttentionShape s, in DropoutMask dropout, out ArrayView<uint> kept) =>
        DropoutBits(dropout, (long)s.Batch * s.Heads * s.QueryLength * s.KeyLength, AttentionTensorCoreCuda.Side * (s.KeyLength + 2L), out kept);

    private static int TilesOf(int length) => (length + AttentionTensorCoreCuda.Side - 1) / AttentionTensorCoreCuda.Side;

    /// <summary>Every head's rows side by side, in bf16, filled up with zeros to 64 channels.</summary>
    private DeviceMemory RoundedHeads(in AttentionShape s, View<float> x, int length, int stride, out ArrayView<UInt4> chunks)
    {
        var count = (long)s.Batch * s.Heads * length * AttentionTensorCoreCuda.RowChunks;
        Arguments.Require(count <= int.MaxValue, $"{s.Batch} x {s.Heads} heads of {length} rows: kernels count their chunks of eight in 31 bits", nameof(Attention));
        // One at least: where nothing is copied an address is still formed.
        var memory = Allocate(16 * Math.Max(1, count));
        chunks = View(new View<UInt4>(memory, 0, Math.Max(1, count)));
        LaunchOver(AttentionTensorCoreCuda.RoundHeads, count, new RoundHeadsArguments
        {
            Input = View(x),
            Output = chunks,
            Heads = new QuickDivision(s.Heads),
            Length = new QuickDivision(Math.Max(1, length)),
            Size = s.HeadSize,
            Stride = stride,
            Aligned = s.HeadSize % TensorCoreTileCuda.Chunk == 0 && stride % 4 == 0 && HasWholeQuads(x) ? 1 : 0,
        });
        return memory;
    }
}

internal struct RoundHeadsArguments
{
    public ArrayView<float> Input;
    public ArrayView<UInt4> Output;
    public QuickDivision Heads, Length;
    public int Size, Stride, Aligned;
}

internal struct AttentionDeltaArguments
{
    public ArrayView<float> Output, OutputGradient, Deltas;
    public int Heads, Size, Length, Stride;
}

internal struct AttentionTensorCoreArguments
{
    public ArrayView<UInt4> Query, Key, Value, OutputGradient;
    public ArrayView<float> Output, ValueGradient, LogSums, Deltas;
    public ArrayView<uint> Kept;
    public int Heads, Size, QueryLength, KeyLength, Stride, Causal;
    public float Scale, KeptScale;

    /// <summary>Keys that a query sees; none for a row that only fills up a tile.</summary>
    public readonly int Seen(int query) => query >= QueryLength ? 0 : Causal != 0 ? query + 1 + KeyLength - QueryLength : KeyLength;

    /// <summary>First element of a head's row in memory.</summary>
    public readonly long At(int head, int row, int length) => ((long)(head / Heads) * length + row) * Stride + head % Heads * Size;
}

/// <summary>
/// Attention on tensor cores (Dao et al. 2022, FlashAttention; Dao 2023): 64 queries to a group, 16 to a warp, and 64 keys at a time. Scores and weights are a warp's sums in registers, and become operands there without
/// moving between lanes. Exponents have base 2, log₂ e being part of the scale.
/// </summary>
internal static class AttentionTensorCoreCuda
{
    /// <summary>Queries, keys and channels of a tile.</summary>
    public const int Side = 64;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Chunks of a row.</summary>
    public const int RowChunks = Side / TensorCoreTileCuda.Chunk;

    private const int TileChunks = Side * RowChunks;
    private const float Log2E = 1.44269504f;

    /// <summary>The output (where there is one to write) and log₂ of each row's sum of exponentials (where that is wanted).</summary>
    [CudaKernel]
    public static void AttentionTensorCore(AttentionTensorCoreArguments a)
    {
        var query = SharedMemory.Allocate<UInt4>(TileChunks);
        var key = SharedMemory.Allocate<UInt4>(2 * TileChunks);
        var value = SharedMemory.Allocate<UInt4>(2 * TileChunks);
        int head = Grid.IdxX, first = Grid.IdxY * Side, rows = Group.IdxX / GroupReduce.WarpSize * 16, upper = first + rows + Warp.LaneIdx / 4, column = Warp.LaneIdx % 4 * 2;
        int seenUpper = a.Seen(upper), seenLower = a.Seen(upper + 8), tiles = KeyTiles(a, first);
        Load(a.Query, query, 0, head, first, a.QueryLength);
        Load(a.Key, key, 0, head, 0, a.KeyLength);
        Load(a.Value, value, 0, head, 0, a.KeyLength);
        AsyncCopy.Commit();
        TensorCoreSums output = default;
        float maxUpper = float.NegativeInfinity, maxLower = float.NegativeInfinity, sumUpper = 0, sumLower = 0;
        for (var tile = 0; tile < tiles; tile++)
        {
            AsyncCopy.WaitForAll();
            // After it, this tile is there for all, and nobody still reads the one before, whose place the next takes.
            Group.Barrier();
            var stage = tile % 2 * TileChunks;
            Load(a.Key, key, TileChunks - stage, head, (tile + 1) * Side, a.KeyLength);
            Load(a.Value, value, TileChunks - stage, head, (tile + 1) * Side, a.KeyLength);
            AsyncCopy.Commit();
            var scores = Products(query, 0, rows, key, stage).Map(new SeenScores { Scale = a.Scale * Log2E, Upper = seenUpper, Lower = seenLower }, tile * Side + column);
            float newUpper = Larger(maxUpper, scores.UpperMax), newLower = Larger(maxLower, scores.LowerMax);
            // A row that has seen nothing yet has no maximum to take out.
            float outUpper = newUpper == float.NegativeInfinity ? 0 : newUpper, outLower = newLower == float.NegativeInfinity ? 0 : newLower;
            float shrinkUpper = FastMath.Exp2(maxUpper - outUpper), shrinkLower = FastMath.Exp2(maxLower - outLower);
            var weights = scores.Map(new Exponentials { Upper = outUpper, Lower = outLower }, 0);
            sumUpper = sumUpper * shrinkUpper + weights.UpperSum;
            sumLower = sumLower * shrinkLower + weights.LowerSum;
            maxUpper = newUpper;
            maxLower = newLower;
            if (a.Output.Length == 0) continue;
            weights = weights.Map(new Dropped { Kept = Kept(a.Kept, MaskAt(a, head, upper, tile * Side + column), a.KeyLength, 1), Scale = a.KeptScale }, 0);
            output = output.Map(new Scaled { Upper = shrinkUpper, Lower = shrinkLower }, 0);
            output = AddProducts(output, weights, value, stage);
        }
        // A tile may still be on its way: the last one loads what is beyond the end.
        AsyncCopy.WaitForAll();
        sumUpper = TensorCoreSums.QuadSum(sumUpper);
        sumLower = TensorCoreSums.QuadSum(sumLower);
        if (a.LogSums.Length > 0 && column == 0)
        {
            if (upper < a.QueryLength) a.LogSums[(long)head * a.QueryLength + upper] = maxUpper + FastMath.Log2(sumUpper);
            if (upper + 8 < a.QueryLength) a.LogSums[(long)head * a.QueryLength + upper + 8] = maxLower + FastMath.Log2(sumLower);
        }
        if (a.Output.Length > 0) Store(a, a.Output, output.Map(new Scaled { Upper = 1 / sumUpper, Lower = 1 / sumLower }, 0), head, upper, a.QueryLength);
    }

    /// <summary>A warp per row: Σ output · its gradient.</summary>
    [CudaKernel]
    public static void AttentionDeltas(AttentionDeltaArguments a)
    {
        var at = ((long)(Grid.IdxX / a.Heads) * a.Length + Grid.IdxY) * a.Stride + Grid.IdxX % a.Heads * a.Size;
        var delta = 0f;
        for (var d = Group.IdxX; d < a.Size; d += Group.DimX) delta += a.Output[at + d] * a.OutputGradient[at + d];
        delta = GroupReduce.Sum(delta);
        if (Group.IdxX == 0) a.Deltas[(long)Grid.IdxX * a.Length + Grid.IdxY] = delta;
    }

    /// <summary>64 queries' gradient: <c>dQ = Σ dS K</c> with <c>dS = P (F dO Vᵀ − delta) · scale</c>.</summary>
    [CudaKernel]
    public static void AttentionTensorCoreQueryGradient(AttentionTensorCoreArguments a)
    {
        var query = SharedMemory.Allocate<UInt4>(TileChunks);
        var gradient = SharedMemory.Allocate<UInt4>(TileChunks);
        var key = SharedMemory.Allocate<UInt4>(2 * TileChunks);
        var value = SharedMemory.Allocate<UInt4>(2 * TileChunks);
        int head = Grid.IdxX, first = Grid.IdxY * Side, rows = Group.IdxX / GroupReduce.WarpSize * 16, upper = first + rows + Warp.LaneIdx / 4, column = Warp.LaneIdx % 4 * 2;
        var tiles = KeyTiles(a, first);
        Load(a.Query, query, 0, head, first, a.QueryLength);
        Load(a.OutputGradient, gradient, 0, head, first, a.QueryLength);
        Load(a.Key, key, 0, head, 0, a.KeyLength);
        Load(a.Value, value, 0, head, 0, a.KeyLength);
        AsyncCopy.Commit();
        var scoring = new SeenScores { Scale = a.Scale * Log2E, Upper = a.Seen(upper), Lower = a.Seen(upper + 8) };
        var exponents = new Exponentials { Upper = Row(a, a.LogSums, head, upper), Lower = Row(a, a.LogSums, head, upper + 8) };
        var gradients = new ScoreGradients { Upper = Row(a, a.Deltas, head, upper), Lower = Row(a, a.Deltas, head, upper + 8), Scale = a.Scale };
        TensorCoreSums sums = default;
        for (var tile = 0; tile < tiles; tile++)
        {
            AsyncCopy.WaitForAll();
            Group.Barrier();
            var stage = tile % 2 * TileChunks;
            Load(a.Key, key, TileChunks - stage, head, (tile + 1) * Side, a.KeyLength);
            Load(a.Value, value, TileChunks - stage, head, (tile + 1) * Side, a.KeyLength);
            AsyncCopy.Commit();
            var weights = Products(query, 0, rows, key, stage).Map(scoring, tile * Side + column).Map(exponents, 0);
            var through = Products(gradient, 0, rows, value, stage).Map(new Dropped { Kept = Kept(a.Kept, MaskAt(a, head, upper, tile * Side + column), a.KeyLength, 1), Scale = a.KeptScale }, 0);
            var scores = weights.Zip(through, gradients, 0);
            sums = AddProducts(sums, scores, key, stage);
        }
        AsyncCopy.WaitForAll();
        Store(a, a.Output, sums, head, upper, a.QueryLength);
    }

    /// <summary>64 keys' and values' gradients, a column of queries after the other: <c>dV = Σ (F P)ᵀ dO</c>, <c>dK = Σ dSᵀ Q</c>.</summary>
    [CudaKernel]
    public static void AttentionTensorCoreKeyGradient(AttentionTensorCoreArguments a)
    {
        var key = SharedMemory.Allocate<UInt4>(TileChunks);
        var value = SharedMemory.Allocate<UInt4>(TileChunks);
        var query = SharedMemory.Allocate<UInt4>(2 * TileChunks);
        var gradient = SharedMemory.Allocate<UInt4>(2 * TileChunks);
        int head = Grid.IdxX, first = Grid.IdxY * Side, rows = Group.IdxX / GroupReduce.WarpSize * 16, upper = first + rows + Warp.LaneIdx / 4, column = Warp.LaneIdx % 4 * 2;
        // The first query that sees the first of these keys.
        var begin = a.Causal != 0 ? first - (a.KeyLength - a.QueryLength) : 0;
        begin = begin < 0 ? 0 : begin / Side * Side;
        Load(a.Key, key, 0, head, first, a.KeyLength);
        Load(a.Value, value, 0, head, first, a.KeyLength);
        Load(a.Query, query, 0, head, begin, a.QueryLength);
        Load(a.OutputGradient, gradient, 0, head, begin, a.QueryLength);
        AsyncCopy.Commit();
        var row = (long)head * a.QueryLength;
        int firstUpper = FirstQuery(a, upper), firstLower = FirstQuery(a, upper + 8);
        TensorCoreSums keySums = default, valueSums = default;
        var stage = 0;
        for (var from = begin; from < a.QueryLength; from += Side)
        {
            AsyncCopy.WaitForAll();
            Group.Barrier();
            Load(a.Query, query, TileChunks - stage, head, from + Side, a.QueryLength);
            Load(a.OutputGradient, gradient, TileChunks - stage, head, from + Side, a.QueryLength);
            AsyncCopy.Commit();
            var weights = Products(key, 0, rows, query, stage)
                .Map(new ColumnWeights { LogSums = a.LogSums.SubView(row + from + column, Side), Upper = firstUpper - from - column, Lower = firstLower - from - column, End = a.QueryLength - from - column, Scale = a.Scale * Log2E }, 0);
            var dropped = new Dropped { Kept = Kept(a.Kept, MaskAt(a, head, from + column, upper), 1, a.KeyLength), Scale = a.KeptScale };
            valueSums = AddProducts(valueSums, weights.Map(dropped, 0), gradient, stage);
            var scores = weights.Zip(Products(value, 0, rows, gradient, stage).Map(dropped, 0), new ColumnScoreGradients { Deltas = a.Deltas.SubView(row + from + column, Side), End = a.QueryLength - from - column, Scale = a.Scale }, 0);
            keySums = AddProducts(keySums, scores, query, stage);
            stage = TileChunks - stage;
        }
        AsyncCopy.WaitForAll();
        Store(a, a.Output, keySums, head, upper, a.KeyLength);
        Store(a, a.ValueGradient, valueSums, head, upper, a.KeyLength);
    }

    /// <summary>A thread per chunk: rows of a head, in bf16.</summary>
    [CudaKernel]
    public static void RoundHeads(RoundHeadsArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step)
        {
            int row = (int)(i / RowChunks), column = ((int)i & (RowChunks - 1)) * TensorCoreTileCuda.Chunk, left = a.Size - column;
            int head = a.Length.Of(row), t = row - head * a.Length.Divisor, sequence = a.Heads.Of(head);
            var from = ((long)sequence * a.Length.Divisor + t) * a.Stride + (head - sequence * a.Heads.Divisor) * a.Size + column;
            UInt4 chunk = default;
            if (a.Aligned != 0)
            {
                if (left > 0) chunk = TensorCoreTileCuda.WholeChunk(a.Input, from >> 2);
            }
            else
            {
                chunk = TensorCoreTileCuda.PartialChunk(a.Input, from, left);
            }
            a.Output[i] = chunk;
        }
    }

    // Tiles of keys that some query of a tile sees.
    private static int KeyTiles(in AttentionTensorCoreArguments a, int firstQuery)
    {
        var keys = a.Causal != 0 ? firstQuery + Side + a.KeyLength - a.QueryLength : a.KeyLength;
        return ((keys < a.KeyLength ? keys : a.KeyLength) + Side - 1) / Side;
    }

    // The first query that sees a key; none does where the key only fills up a tile.
    private static int FirstQuery(in AttentionTensorCoreArguments a, int key)
    {
        if (key >= a.KeyLength) return int.MaxValue;
        return a.Causal != 0 ? key + a.QueryLength - a.KeyLength : 0;
    }

    // Number of a weight among the dropout's elements.
    private static long MaskAt(in AttentionTensorCoreArguments a, int head, int query, int key) => ((long)head * a.QueryLength + query) * a.KeyLength + key;

    /// <summary>Which of a lane's 32 weights a dropout keeps, a bit for each: four of every tile, in the order of their places.</summary>
    /// <param name="bits">The dropout's bits; none where it drops nothing.</param>
    /// <param name="first">Number of the lane's first element.</param>
    /// <param name="row">Distance between two rows of the tile.</param>
    /// <param name="column">Distance between two columns.</param>
    private static uint Kept(ArrayView<uint> bits, long first, int row, int column)
    {
        if (bits.Length == 0) return 0xFFFFFFFFu;
        var kept = 0u;
        for (var tile = 0; tile < 8; tile++)
        {
            var at = first + (long)(tile * 8) * column;
            kept |= (Bit(bits, at) | Bit(bits, at + column) << 1 | Bit(bits, at + 8L * row) << 2 | Bit(bits, at + 8L * row + column) << 3) << (tile << 2);
        }
        return kept;
    }

    private static uint Bit(ArrayView<uint> bits, long at) => bits[at >> 5] >> (int)(at & 31) & 1;

    private static float Row(in AttentionTensorCoreArguments a, ArrayView<float> values, int head, int query) => query < a.QueryLength ? values[(long)head * a.QueryLength + query] : 0;

    private static float Larger(float x, float y) => x > y ? x : y;

    /// <summary>Begins to copy 64 rows of a head; zeros beyond its end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(ArrayView<UInt4> values, ArrayView<UInt4> shared, int stage, int head, int first, int length)
    {
        for (var i = Group.IdxX; i < TileChunks; i += Threads)
        {
            int line = i / RowChunks, chunk = i % RowChunks;
            var inside = first + line < length;
            var at = inside ? ((long)head * length + first + line) * RowChunks + chunk : 0;
            AsyncCopy.Copy(ref shared[stage + Place(line, chunk)], ref values[at], inside ? 16 : 0);
        }
    }

    /// <summary>16 rows times 64 rows, over 64 channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TensorCoreSums Products(ArrayView<UInt4> left, int leftStage, int rows, ArrayView<UInt4> right, int stage)
    {
        TensorCoreSums sums = default;
        for (var k = 0; k < Side / 16; k++)
            sums = sums.Plus(Left(left, leftStage, rows, k), Along(right, stage, 0, k), Along(right, stage, 16, k), Along(right, stage, 32, k), Along(right, stage, 48, k));
        return sums;
    }

    /// <summary>sums + 16 rows of 64 weights times 64 rows, for all 64 channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TensorCoreSums AddProducts(TensorCoreSums sums, in TensorCoreSums weights, ArrayView<UInt4> right, int stage)
    {
        sums = sums.Plus(TensorCoreSums.Operand(weights.C0, weights.C1), Across(right, stage, 0, 0), Across(right, stage, 16, 0), Across(right, stage, 32, 0), Across(right, stage, 48, 0));
        sums = sums.Plus(TensorCoreSums.Operand(weights.C2, weights.C3), Across(right, stage, 0, 1), Across(right, stage, 16, 1), Across(right, stage, 32, 1), Across(right, stage, 48, 1));
        sums = sums.Plus(TensorCoreSums.Operand(weights.C4, weights.C5), Across(right, stage, 0, 2), Across(right, stage, 16, 2), Across(right, stage, 32, 2), Across(right, stage, 48, 2));
        return sums.Plus(TensorCoreSums.Operand(weights.C6, weights.C7), Across(right, stage, 0, 3), Across(right, stage, 16, 3), Across(right, stage, 32, 3), Across(right, stage, 48, 3));
    }

    /// <summary>A left operand: 16 rows from <paramref name="row"/> on and 16 channels, the channels being k; the later rows before the later k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UInt4 Left(ArrayView<UInt4> shared, int stage, int row, int k)
    {
        int lane = Warp.LaneIdx, matrix = lane / 8;
        return TensorCore.LoadMatrices(ref shared[stage + Place(row + matrix % 2 * 8 + lane % 8, k * 2 + matrix / 2)]);
    }

    /// <summary>A right one: the later k before the later rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UInt4 Along(ArrayView<UInt4> shared, int stage, int row, int k)
    {
        int lane = Warp.LaneIdx, matrix = lane / 8;
        return TensorCore.LoadMatrices(ref shared[stage + Place(row + matrix / 2 * 8 + lane % 8, k * 2 + matrix % 2)]);
    }

    /// <summary>A right one: 16 channels from <paramref name="channel"/> on and 16 rows, the rows being k.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static UInt4 Across(ArrayView<UInt4> shared, int stage, int channel, int k)
    {
        int lane = Warp.LaneIdx, matrix = lane / 8;
        return TensorCore.LoadTransposedMatrices(ref shared[stage + Place(k * 16 + matrix % 2 * 8 + lane % 8, channel / TensorCoreTileCuda.Chunk + matrix / 2)]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Place(int line, int chunk) => line * RowChunks + (chunk ^ (line & 7));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in AttentionTensorCoreArguments a, ArrayView<float> output, in TensorCoreSums sums, int head, int upper, int length)
    {
        var column = Warp.LaneIdx % 4 * 2;
        StoreRow(a, output, head, upper, length, column, sums.C0.X, sums.C0.Y, sums.C1.X, sums.C1.Y, sums.C2.X, sums.C2.Y, sums.C3.X, sums.C3.Y);
        StoreRow(a, output, head, upper, length, column + 32, sums.C4.X, sums.C4.Y, sums.C5.X, sums.C5.Y, sums.C6.X, sums.C6.Y, sums.C7.X, sums.C7.Y);
        StoreRow(a, output, head, upper + 8, length, column, sums.C0.Z, sums.C0.W, sums.C1.Z, sums.C1.W, sums.C2.Z, sums.C2.W, sums.C3.Z, sums.C3.W);
        StoreRow(a, output, head, upper + 8, length, column + 32, sums.C4.Z, sums.C4.W, sums.C5.Z, sums.C5.W, sums.C6.Z, sums.C6.W, sums.C7.Z, sums.C7.W);
    }

    private static void StoreRow(in AttentionTensorCoreArguments a, ArrayView<float> output, int head, int row, int length, int column, float x0, float y0, float x1, float y1, float x2, float y2, float x3, float y3)
    {
        if (row >= length) return;
        var at = a.At(head, row, length);
        StorePair(a, output, at, column, x0, y0);
        StorePair(a, output, at, column + 8, x1, y1);
        StorePair(a, output, at, column + 16, x2, y2);
        StorePair(a, output, at, column + 24, x3, y3);
    }

    private static void StorePair(in AttentionTensorCoreArguments a, ArrayView<float> output, long at, int column, float x, float y)
    {
        if (column < a.Size) output[at + column] = x;
        if (column + 1 < a.Size) output[at + column + 1] = y;
    }

    /// <summary>Scores of the keys that each row sees, with base 2; −∞ for the others.</summary>
    private struct SeenScores : ITensorCoreFunction
    {
        public float Scale;
        public int Upper, Lower;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, int column) => new()
        {
            X = column < Upper ? sums.X * Scale : float.NegativeInfinity,
            Y = column + 1 < Upper ? sums.Y * Scale : float.NegativeInfinity,
            Z = column < Lower ? sums.Z * Scale : float.NegativeInfinity,
            W = column + 1 < Lower ? sums.W * Scale : float.NegativeInfinity,
        };
    }

    /// <summary>2^(x − the row's number).</summary>
    private struct Exponentials : ITensorCoreFunction
    {
        public float Upper, Lower;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, int column) => new() { X = FastMath.Exp2(sums.X - Upper), Y = FastMath.Exp2(sums.Y - Upper), Z = FastMath.Exp2(sums.Z - Lower), W = FastMath.Exp2(sums.W - Lower) };
    }

    /// <summary>x · the row's number.</summary>
    private struct Scaled : ITensorCoreFunction
    {
        public float Upper, Lower;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, int column) => new() { X = sums.X * Upper, Y = sums.Y * Upper, Z = sums.Z * Lower, W = sums.W * Lower };
    }

    /// <summary>What a dropout leaves.</summary>
    private struct Dropped : ITensorCoreFunction
    {
        public uint Kept;
        public float Scale;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, int column)
        {
            var bits = Kept >> column / 2;
            return new Float4
            {
                X = (bits & 1) != 0 ? sums.X * Scale : 0,
                Y = (bits & 2) != 0 ? sums.Y * Scale : 0,
                Z = (bits & 4) != 0 ? sums.Z * Scale : 0,
                W = (bits & 8) != 0 ? sums.W * Scale : 0,
            };
        }
    }

    /// <summary>Gradients of the scores from weights and from the gradients of what the weights multiply.</summary>
    private struct ScoreGradients : ITensorCorePairFunction
    {
        public float Upper, Lower, Scale;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, Float4 others, int column) =>
            new() { X = sums.X * (others.X - Upper) * Scale, Y = sums.Y * (others.Y - Upper) * Scale, Z = sums.Z * (others.Z - Lower) * Scale, W = sums.W * (others.W - Lower) * Scale };
    }

    /// <summary>Weights of keys (rows) for queries (columns), counted from the lane's first one.</summary>
    private struct ColumnWeights : ITensorCoreFunction
    {
        public ArrayView<float> LogSums;
        public int Upper, Lower, End;
        public float Scale;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, int column)
        {
            float left = LogSums[column], right = LogSums[column + 1];
            return new Float4
            {
                X = column >= Upper && column < End ? FastMath.Exp2(sums.X * Scale - left) : 0,
                Y = column + 1 >= Upper && column + 1 < End ? FastMath.Exp2(sums.Y * Scale - right) : 0,
                Z = column >= Lower && column < End ? FastMath.Exp2(sums.Z * Scale - left) : 0,
                W = column + 1 >= Lower && column + 1 < End ? FastMath.Exp2(sums.W * Scale - right) : 0,
            };
        }
    }

    /// <summary>As <see cref="ScoreGradients"/>, for keys (rows) and queries (columns, counted from the lane's first one).</summary>
    private struct ColumnScoreGradients : ITensorCorePairFunction
    {
        public ArrayView<float> Deltas;
        public int End;
        public float Scale;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Float4 Apply(Float4 sums, Float4 others, int column)
        {
            float left = Deltas[column], right = Deltas[column + 1];
            if (column >= End) left = 0;
            if (column + 1 >= End) right = 0;
            return new Float4 { X = sums.X * (others.X - left) * Scale, Y = sums.Y * (others.Y - right) * Scale, Z = sums.Z * (others.Z - left) * Scale, W = sums.W * (others.W - right) * Scale };
        }
    }
}
