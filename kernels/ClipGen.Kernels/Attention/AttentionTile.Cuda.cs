using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace ClipGen.Kernels;

/// <summary>How the 128 threads of a group lie over a tile of scores: each has four rows by four columns.</summary>
internal interface IAttentionTile
{
    /// <summary>Threads below each other: a quarter of a tile's rows.</summary>
    int Rows { get; }

    /// <summary>Threads side by side, a warp at most: a quarter of a tile's columns, and of the channels that a group adds up.</summary>
    int Columns { get; }

    /// <summary>log₂ of <see cref="Columns"/>.</summary>
    int Shift { get; }

    /// <summary>Whether the next slice of channels is read while the present one is multiplied: takes registers, for which there may be other groups instead.</summary>
    bool ReadsAhead { get; }
}

/// <summary>Heads of up to 64 channels: 32 rows by 64 columns.</summary>
internal struct NarrowHeads : IAttentionTile
{
    public readonly int Rows => 8;

    public readonly int Columns => 16;

    public readonly int Shift => 4;

    public readonly bool ReadsAhead => false;
}

/// <summary>Wider heads, of which there are few: 16 rows by 128 columns, so that one sequence and one head still give many groups.</summary>
internal struct WideHeads : IAttentionTile
{
    public readonly int Rows => 4;

    public readonly int Columns => 32;

    public readonly int Shift => 5;

    public readonly bool ReadsAhead => true;
}

/// <summary>A thread's part of a tile: four rows by four columns.</summary>
internal struct Float4x4
{
    public Float4 A, B, C, D;

    /// <summary>this + left · rightᵀ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4x4 Plus(Float4 left, Float4 right) => new() { A = A.Plus(left.X, right), B = B.Plus(left.Y, right), C = C.Plus(left.Z, right), D = D.Plus(left.W, right) };

    /// <summary>Columns as rows: the same registers under other names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4x4 Transposed() => new()
    {
        A = new Float4 { X = A.X, Y = B.X, Z = C.X, W = D.X },
        B = new Float4 { X = A.Y, Y = B.Y, Z = C.Y, W = D.Y },
        C = new Float4 { X = A.Z, Y = B.Z, Z = C.Z, W = D.Z },
        D = new Float4 { X = A.W, Y = B.W, Z = C.W, W = D.W },
    };

    /// <summary>Each row times its own factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4x4 Scaled(Float4 factors) => new() { A = AttentionTileCuda.Times(A, factors.X), B = AttentionTileCuda.Times(B, factors.Y), C = AttentionTileCuda.Times(C, factors.Z), D = AttentionTileCuda.Times(D, factors.W) };
}

/// <summary>One head's rows of queries, keys, values or output gradients.</summary>
internal struct AttentionOperand
{
    public ArrayView<float> Values;
    public long First;
    public int Stride, Length, Size;

    /// <summary>One channel of all rows; the last channel where there is no such.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly AttentionChannel Channel(int channel)
    {
        var at = First + Math.Min(channel, Size - 1);
        return new AttentionChannel { Values = Values.SubView(at, Values.Length - at), Stride = Stride, Last = Length - 1 };
    }
}

/// <summary>A channel of a head's rows. Rows beyond the last are the last: nobody uses what comes of them.</summary>
internal struct AttentionChannel
{
    public ArrayView<float> Values;
    public int Stride, Last;

    /// <summary>Four rows.</summary>
    /// <param name="row">The first.</param>
    /// <param name="step">Rows from one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Float4 Four(int row, int step) => new()
    {
        X = Values[Math.Min(row, Last) * Stride],
        Y = Values[Math.Min(row + step, Last) * Stride],
        Z = Values[Math.Min(row + 2 * step, Last) * Stride],
        W = Values[Math.Min(row + 3 * step, Last) * Stride],
    };
}

/// <summary>What a thread reads of a slice of channels: one channel of up to four times eight columns, and of four times two rows.</summary>
internal struct AttentionSlice
{
    public Float4 Left0, Left1, Right0, Right1, Right2, Right3, Right4, Right5, Right6, Right7;
}

/// <summary>Which columns belong to a row: row r (of a thread's four) has those from <c>From + r · FromStep</c> up to, without it, <c>To + r · ToStep</c>.</summary>
internal struct AttentionReach
{
    public int From, FromStep, To, ToStep;

    /// <summary>Whether a row has a column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Has(int row, int column) => column >= From + row * FromStep && column < To + row * ToStep;
}

internal struct AttentionArguments
{
    public ArrayView<float> Query, Key, Value, Output, OutputGradient, QueryGradient, KeyGradient, ValueGradient, Maxima, InverseSums, Deltas;
    public DropoutMask Dropout;
    public int Heads, Size, QueryLength, KeyLength, QueryStride, KeyStride, OutputStride, Causal;
    public float Scale;

    /// <summary>First float of a head's row of queries.</summary>
    public readonly long QueryAt(int head, int t) => ((long)(head / Heads) * QueryLength + t) * QueryStride + head % Heads * Size;

    /// <summary>First float of a head's row of keys or values.</summary>
    public readonly long KeyAt(int head, int t) => ((long)(head / Heads) * KeyLength + t) * KeyStride + head % Heads * Size;

    /// <summary>First float of a head's row of outputs.</summary>
    public readonly long OutputAt(int head, int t) => ((long)(head / Heads) * QueryLength + t) * OutputStride + head % Heads * Size;

    /// <summary>Keys that a query sees.</summary>
    public readonly int Seen(int t) => Causal != 0 ? t + 1 + KeyLength - QueryLength : KeyLength;

    /// <summary>The first query that sees a key; less than 0 where all do.</summary>
    public readonly int FirstQuery(int j) => Causal != 0 ? j - (KeyLength - QueryLength) : 0;

    /// <summary>A head's queries.</summary>
    public readonly AttentionOperand Queries(int head) => new() { Values = Query, First = QueryAt(head, 0), Stride = QueryStride, Length = QueryLength, Size = Size };

    /// <summary>A head's keys.</summary>
    public readonly AttentionOperand Keys(int head) => new() { Values = Key, First = KeyAt(head, 0), Stride = KeyStride, Length = KeyLength, Size = Size };

    /// <summary>A head's values.</summary>
    public readonly AttentionOperand Vectors(int head) => new() { Values = Value, First = KeyAt(head, 0), Stride = KeyStride, Length = KeyLength, Size = Size };

    /// <summary>The gradients of a head's outputs.</summary>
    public readonly AttentionOperand Gradients(int head) => new() { Values = OutputGradient, First = OutputAt(head, 0), Stride = OutputStride, Length = QueryLength, Size = Size };
}

/// <summary>
/// Attention in float32 by tiles (Dao et al. 2022, FlashAttention): a group has a tile of rows (queries, or keys for their gradients) and a stretch of channels, and goes over tiles of columns. The scores of a tile are
/// sums in registers, four rows by four columns a thread, over slices of channels in shared memory; weights pass through shared memory and are multiplied by slices of values into sums that stay in registers. A head's
/// channels beyond the stretch are other groups', which compute the scores again.
/// </summary>
/// <remarks>
/// One result is one chain of multiply-adds in the order of columns, which the running maximum (Milakov and Gimelshein 2018) scales at the end of a tile. A pair that the mask takes out is left out of the chain, not added
/// with weight 0: what a query does not see can't make a NaN of it.
/// </remarks>
internal static class AttentionTileCuda
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Most channels of <see cref="NarrowHeads"/>.</summary>
    public const int NarrowSize = 64;

    // Channels of scores, or columns of weights, that are in shared memory at a time.
    private const int Slice = 32;

    // A row of a slice is four floats longer than its tile, so that threads that store columns meet different banks and 128-bit reads stay aligned.
    private const int LeftFloats = Slice * (4 * 8 + 4);
    private const int RightFloats = Slice * (4 * 32 + 4);
    private const int WeightFloats = 4 * 32 * 4 * (4 + 1);

    /// <summary>Outputs, or where there are none to write, each query's maximum and the inverse of its sum of exponentials.</summary>
    [CudaKernel(typeof(NarrowHeads), typeof(WideHeads))]
    public static void AttentionTile<T>(AttentionArguments a) where T : struct, IAttentionTile
    {
        T tile = default;
        var left = SharedMemory.Allocate<float>(LeftFloats);
        var right = SharedMemory.Allocate<float>(RightFloats);
        var shared = SharedMemory.Allocate<float>(WeightFloats);
        // The last queries see the most: their groups begin first.
        int head = Grid.IdxX, first = (Grid.DimY - 1 - Grid.IdxY) * (4 * tile.Rows), channel = Grid.IdxZ * (4 * tile.Columns);
        int row = Group.IdxX >> tile.Shift, column = Group.IdxX & tile.Columns - 1, query = first + 4 * row;
        AttentionOperand queries = a.Queries(head), keys = a.Keys(head), values = a.Vectors(head);
        var reach = new AttentionReach { To = a.Seen(query), ToStep = a.Causal };
        var end = Math.Min(a.KeyLength, a.Seen(first + 4 * tile.Rows - 1));
        Float4x4 sums = default;
        Float4 total = default, max = new() { X = float.NegativeInfinity, Y = float.NegativeInfinity, Z = float.NegativeInfinity, W = float.NegativeInfinity };
        for (var key = 0; key < end; key += 4 * tile.Columns)
        {
            var scores = Products(tile, left, right, queries, first, keys, key);
            var at = key + 4 * column;
            scores.A = Seen(scores.A, a.Scale, reach.To - at);
            scores.B = Seen(scores.B, a.Scale, reach.To + reach.ToStep - at);
            scores.C = Seen(scores.C, a.Scale, reach.To + 2 * reach.ToStep - at);
            scores.D = Seen(scores.D, a.Scale, reach.To + 3 * reach.ToStep - at);
            Float4 newMax = new() { X = Largest(max.X, scores.A), Y = Largest(max.Y, scores.B), Z = Largest(max.Z, scores.C), W = Largest(max.W, scores.D) };
            for (var offset = tile.Columns / 2; offset > 0; offset >>= 1)
            {
                newMax.X = Larger(newMax.X, Warp.ShuffleXor(newMax.X, offset));
                newMax.Y = Larger(newMax.Y, Warp.ShuffleXor(newMax.Y, offset));
                newMax.Z = Larger(newMax.Z, Warp.ShuffleXor(newMax.Z, offset));
                newMax.W = Larger(newMax.W, Warp.ShuffleXor(newMax.W, offset));
            }
            // What was added so far was relative to the old maximum. A NaN in a row makes a NaN of its sum.
            Float4 shrink = new() { X = Shrink(max.X, newMax.X), Y = Shrink(max.Y, newMax.Y), Z = Shrink(max.Z, newMax.Z), W = Shrink(max.W, newMax.W) };
            max = newMax;
            scores.A = Exponentials(scores.A, max.X);
            scores.B = Exponentials(scores.B, max.Y);
            scores.C = Exponentials(scores.C, max.Z);
            scores.D = Exponentials(scores.D, max.W);
            total.X = total.X * shrink.X + Sum(scores.A);
            total.Y = total.Y * shrink.Y + Sum(scores.B);
            total.Z = total.Z * shrink.Z + Sum(scores.C);
            total.W = total.W * shrink.W + Sum(scores.D);
            if (a.Output.Length == 0) continue;
            if (a.Dropout.Probability > 0)
            {
                var scale = a.Dropout.Scale;
                var index = ((long)head * a.QueryLength + query) * a.KeyLength + at;
                scores.A = Times(scores.A, Factors(a.Dropout, scale, index));
                scores.B = Times(scores.B, Factors(a.Dropout, scale, index + a.KeyLength));
                scores.C = Times(scores.C, Factors(a.Dropout, scale, index + 2L * a.KeyLength));
                scores.D = Times(scores.D, Factors(a.Dropout, scale, index + 3L * a.KeyLength));
            }
            Share(tile, shared, scores.Transposed());
            sums = AddProducts(tile, sums.Scaled(shrink), shared, right, values, key, channel, 0, end, reach);
        }
        for (var offset = tile.Columns / 2; offset > 0; offset >>= 1)
        {
            total.X += Warp.ShuffleXor(total.X, offset);
            total.Y += Warp.ShuffleXor(total.Y, offset);
            total.Z += Warp.ShuffleXor(total.Z, offset);
            total.W += Warp.ShuffleXor(total.W, offset);
        }
        Float4 inverse = new() { X = 1 / total.X, Y = 1 / total.Y, Z = 1 / total.Z, W = 1 / total.W };
        if (a.Output.Length > 0)
        {
            Store(a.Output, a.OutputAt(head, query), a.OutputStride, a.QueryLength - query, channel + 4 * column, a.Size, sums.Scaled(inverse));
            return;
        }
        if (column != 0) return;
        StoreRow(a.Maxima, (long)head * a.QueryLength + query, a.QueryLength - query, max);
        StoreRow(a.InverseSums, (long)head * a.QueryLength + query, a.QueryLength - query, inverse);
    }

    /// <summary>Gradients of queries: <c>dq = Σ ds k</c>, with p the weights, f the dropout's factors and <c>ds = p (f · do·v − delta) · scale</c>.</summary>
    [CudaKernel(typeof(NarrowHeads), typeof(WideHeads))]
    public static void AttentionTileQueryGradient<T>(AttentionArguments a) where T : struct, IAttentionTile
    {
        T tile = default;
        var left = SharedMemory.Allocate<float>(LeftFloats);
        var right = SharedMemory.Allocate<float>(RightFloats);
        var shared = SharedMemory.Allocate<float>(WeightFloats);
        int head = Grid.IdxX, first = (Grid.DimY - 1 - Grid.IdxY) * (4 * tile.Rows), channel = Grid.IdxZ * (4 * tile.Columns);
        int row = Group.IdxX >> tile.Shift, column = Group.IdxX & tile.Columns - 1, query = first + 4 * row;
        AttentionOperand queries = a.Queries(head), keys = a.Keys(head), values = a.Vectors(head), gradients = a.Gradients(head);
        var reach = new AttentionReach { To = a.Seen(query), ToStep = a.Causal };
        var end = Math.Min(a.KeyLength, a.Seen(first + 4 * tile.Rows - 1));
        var number = (long)head * a.QueryLength + query;
        Float4 max = Row(a.Maxima, number, a.QueryLength - query), inverse = Row(a.InverseSums, number, a.QueryLength - query), delta = Row(a.Deltas, number, a.QueryLength - query);
        Float4x4 sums = default;
        for (var key = 0; key < end; key += 4 * tile.Columns)
        {
            var scores = Products(tile, left, right, queries, first, keys, key);
            var through = Products(tile, left, right, gradients, first, values, key);
            if (a.Dropout.Probability > 0)
            {
                var scale = a.Dropout.Scale;
                var index = number * a.KeyLength + key + 4 * column;
                through.A = Times(through.A, Factors(a.Dropout, scale, index));
                through.B = Times(through.B, Factors(a.Dropout, scale, index + a.KeyLength));
                through.C = Times(through.C, Factors(a.Dropout, scale, index + 2L * a.KeyLength));
                through.D = Times(through.D, Factors(a.Dropout, scale, index + 3L * a.KeyLength));
            }
            scores.A = ScoreGradients(Times(Exponentials(Times(scores.A, a.Scale), max.X), inverse.X), through.A, delta.X, a.Scale);
            scores.B = ScoreGradients(Times(Exponentials(Times(scores.B, a.Scale), max.Y), inverse.Y), through.B, delta.Y, a.Scale);
            scores.C = ScoreGradients(Times(Exponentials(Times(scores.C, a.Scale), max.Z), inverse.Z), through.C, delta.Z, a.Scale);
            scores.D = ScoreGradients(Times(Exponentials(Times(scores.D, a.Scale), max.W), inverse.W), through.D, delta.W, a.Scale);
            Share(tile, shared, scores.Transposed());
            sums = AddProducts(tile, sums, shared, right, keys, key, channel, 0, end, reach);
        }
        Store(a.QueryGradient, a.QueryAt(head, query), a.QueryStride, a.QueryLength - query, channel + 4 * column, a.Size, sums);
    }

    /// <summary>Gradients of keys and values: <c>dk = Σ ds q</c>, <c>dv = Σ p f do</c> over the queries that see them, in their order.</summary>
    [CudaKernel(typeof(NarrowHeads), typeof(WideHeads))]
    public static void AttentionTileKeyGradient<T>(AttentionArguments a) where T : struct, IAttentionTile
    {
        T tile = default;
        var left = SharedMemory.Allocate<float>(LeftFloats);
        var right = SharedMemory.Allocate<float>(RightFloats);
        var shared = SharedMemory.Allocate<float>(WeightFloats);
        int head = Grid.IdxX, first = Grid.IdxY * (4 * tile.Rows), channel = Grid.IdxZ * (4 * tile.Columns);
        int row = Group.IdxX >> tile.Shift, column = Group.IdxX & tile.Columns - 1, key = first + 4 * row;
        AttentionOperand queries = a.Queries(head), keys = a.Keys(head), values = a.Vectors(head), gradients = a.Gradients(head);
        var reach = new AttentionReach { From = a.FirstQuery(key), FromStep = a.Causal, To = a.QueryLength };
        var begin = a.FirstQuery(first);
        if (begin < 0) begin = 0;
        Float4x4 keySums = default, valueSums = default;
        for (var query = begin & -(4 * tile.Columns); query < a.QueryLength; query += 4 * tile.Columns)
        {
            // Rows are queries from here on, since what is known of a query is one number for the thread's four keys.
            var scores = Products(tile, left, right, keys, first, queries, query).Transposed();
            var through = Products(tile, left, right, values, first, gradients, query).Transposed();
            var number = (long)head * a.QueryLength + query + 4 * column;
            var left4 = a.QueryLength - query - 4 * column;
            Float4 max = Row(a.Maxima, number, left4), inverse = Row(a.InverseSums, number, left4), delta = Row(a.Deltas, number, left4);
            var weights = new Float4x4
            {
                A = Times(Exponentials(Times(scores.A, a.Scale), max.X), inverse.X),
                B = Times(Exponentials(Times(scores.B, a.Scale), max.Y), inverse.Y),
                C = Times(Exponentials(Times(scores.C, a.Scale), max.Z), inverse.Z),
                D = Times(Exponentials(Times(scores.D, a.Scale), max.W), inverse.W),
            };
            var kept = weights;
            if (a.Dropout.Probability > 0)
            {
                var scale = a.Dropout.Scale;
                var index = number * a.KeyLength + key;
                var factors = new Float4x4
                {
                    A = Factors(a.Dropout, scale, index),
                    B = Factors(a.Dropout, scale, index + a.KeyLength),
                    C = Factors(a.Dropout, scale, index + 2L * a.KeyLength),
                    D = Factors(a.Dropout, scale, index + 3L * a.KeyLength),
                };
                kept = Times(weights, factors);
                through = Times(through, factors);
            }
            Share(tile, shared, kept);
            valueSums = AddProducts(tile, valueSums, shared, right, gradients, query, channel, begin, a.QueryLength, reach);
            scores.A = ScoreGradients(weights.A, through.A, delta.X, a.Scale);
            scores.B = ScoreGradients(weights.B, through.B, delta.Y, a.Scale);
            scores.C = ScoreGradients(weights.C, through.C, delta.Z, a.Scale);
            scores.D = ScoreGradients(weights.D, through.D, delta.W, a.Scale);
            Share(tile, shared, scores);
            keySums = AddProducts(tile, keySums, shared, right, queries, query, channel, begin, a.QueryLength, reach);
        }
        Store(a.KeyGradient, a.KeyAt(head, key), a.KeyStride, a.KeyLength - key, channel + 4 * column, a.Size, keySums);
        Store(a.ValueGradient, a.KeyAt(head, key), a.KeyStride, a.KeyLength - key, channel + 4 * column, a.Size, valueSums);
    }

    /// <summary>x · scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Times(Float4 x, float scale) => new() { X = x.X * scale, Y = x.Y * scale, Z = x.Z * scale, W = x.W * scale };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Times(Float4 x, Float4 y) => new() { X = x.X * y.X, Y = x.Y * y.Y, Z = x.Z * y.Z, W = x.W * y.W };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4x4 Times(in Float4x4 x, in Float4x4 y) => new() { A = Times(x.A, y.A), B = Times(x.B, y.B), C = Times(x.C, y.C), D = Times(x.D, y.D) };

    /// <summary>The larger; x where either is NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Larger(float x, float y) => y > x ? y : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(float max, Float4 x) => Larger(Larger(Larger(Larger(max, x.X), x.Y), x.Z), x.W);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Sum(Float4 x) => x.X + x.Y + (x.Z + x.W);

    /// <summary>What sums relative to an old maximum are multiplied by; nothing was added before the first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Shrink(float max, float newMax) => max == float.NegativeInfinity ? 0 : DeviceMath.Exp(max - newMax);

    /// <summary>Scores of the first <paramref name="seen"/> of four keys, −∞ for the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Seen(Float4 sums, float scale, int seen) => new()
    {
        X = seen > 0 ? sums.X * scale : float.NegativeInfinity,
        Y = seen > 1 ? sums.Y * scale : float.NegativeInfinity,
        Z = seen > 2 ? sums.Z * scale : float.NegativeInfinity,
        W = seen > 3 ? sums.W * scale : float.NegativeInfinity,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Exponentials(Float4 scores, float max) => new() { X = DeviceMath.Exp(scores.X - max), Y = DeviceMath.Exp(scores.Y - max), Z = DeviceMath.Exp(scores.Z - max), W = DeviceMath.Exp(scores.W - max) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 ScoreGradients(Float4 weights, Float4 through, float delta, float scale) => new()
    {
        X = weights.X * (through.X - delta) * scale,
        Y = weights.Y * (through.Y - delta) * scale,
        Z = weights.Z * (through.Z - delta) * scale,
        W = weights.W * (through.W - delta) * scale,
    };

    /// <summary>The dropout's factors of four neighbours: of one block of random words where they begin one, of two otherwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Factors(in DropoutMask mask, float scale, long index)
    {
        var block = (ulong)index >> 2;
        var skip = (int)index & 3;
        var (x, y, z, w) = Philox.Block(mask.Key, block);
        if (skip != 0)
        {
            var (nextX, nextY, nextZ, _) = Philox.Block(mask.Key, block + 1);
            if (skip == 1) (x, y, z, w) = (y, z, w, nextX);
            else if (skip == 2) (x, y, z, w) = (z, w, nextX, nextY);
            else (x, y, z, w) = (w, nextX, nextY, nextZ);
        }
        return new Float4 { X = Factor(mask, scale, x), Y = Factor(mask, scale, y), Z = Factor(mask, scale, z), W = Factor(mask, scale, w) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Factor(in DropoutMask mask, float scale, uint bits) => mask.Keeps(bits) ? scale : 0;

    /// <summary>Products of a tile's rows and columns over all channels: this thread's sixteen. Nobody reads or writes the shared memory any more when it returns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4x4 Products<T>(T tile, ArrayView<float> left, ArrayView<float> right, in AttentionOperand rows, int firstRow, in AttentionOperand columns, int firstColumn) where T : struct, IAttentionTile
    {
        var left4 = left.Cast<Float4>();
        var right4 = right.Cast<Float4>();
        int row = Group.IdxX >> tile.Shift, column = Group.IdxX & tile.Columns - 1;
        Float4x4 sums = default;
        AttentionSlice slice = default;
        if (tile.ReadsAhead) slice = Fetch(tile, rows, firstRow, columns, firstColumn, 0);
        for (var channel = 0; channel < rows.Size; channel += Slice)
        {
            if (!tile.ReadsAhead) slice = Fetch(tile, rows, firstRow, columns, firstColumn, channel);
            Put(tile, left4, right4, slice, rows.Size - channel);
            Group.Barrier();
            if (tile.ReadsAhead && channel + Slice < rows.Size) slice = Fetch(tile, rows, firstRow, columns, firstColumn, channel + Slice);
            // Whole fours: channels beyond the last are zeros.
            var channels = Math.Min(rows.Size - channel, Slice);
            for (var i = 0; i < channels; i += 4)
            {
                long l = i * (tile.Rows + 1) + row, r = i * (tile.Columns + 1) + column;
                sums = sums.Plus(left4[l], right4[r]);
                sums = sums.Plus(left4[l + (tile.Rows + 1)], right4[r + (tile.Columns + 1)]);
                sums = sums.Plus(left4[l + 2 * (tile.Rows + 1)], right4[r + 2 * (tile.Columns + 1)]);
                sums = sums.Plus(left4[l + 3 * (tile.Rows + 1)], right4[r + 3 * (tile.Columns + 1)]);
            }
            Group.Barrier();
        }
        return sums;
    }

    /// <summary>Reads a slice of channels of a tile's rows and columns: neighbouring threads neighbouring channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static AttentionSlice Fetch<T>(T tile, in AttentionOperand rows, int firstRow, in AttentionOperand columns, int firstColumn, int channel) where T : struct, IAttentionTile
    {
        int lane = Group.IdxX & Slice - 1, four = 4 * (Group.IdxX >> 5);
        AttentionChannel left = rows.Channel(channel + lane), right = columns.Channel(channel + lane);
        if (!tile.ReadsAhead)
        {
            // Adds 0, but so that it depends on the slice: otherwise the assembler would keep the places of all rows in registers.
            left.Last += channel >> 31;
            right.Last += channel >> 31;
        }
        AttentionSlice slice = default;
        slice.Left0 = left.Four(firstRow + four, 1);
        if (tile.Rows > 4) slice.Left1 = left.Four(firstRow + four + 16, 1);
        slice.Right0 = right.Four(firstColumn + four, 1);
        slice.Right1 = right.Four(firstColumn + four + 16, 1);
        slice.Right2 = right.Four(firstColumn + four + 32, 1);
        slice.Right3 = right.Four(firstColumn + four + 48, 1);
        if (tile.Columns <= 16) return slice;
        slice.Right4 = right.Four(firstColumn + four + 64, 1);
        slice.Right5 = right.Four(firstColumn + four + 80, 1);
        slice.Right6 = right.Four(firstColumn + four + 96, 1);
        slice.Right7 = right.Four(firstColumn + four + 112, 1);
        return slice;
    }

    /// <summary>Puts it into shared memory, [channel, row] and [channel, column]; zeros for channels beyond the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<T>(T tile, ArrayView<Float4> left, ArrayView<Float4> right, AttentionSlice slice, int channels) where T : struct, IAttentionTile
    {
        int lane = Group.IdxX & Slice - 1, four = Group.IdxX >> 5;
        if (lane >= channels) slice = default;
        long l = lane * (tile.Rows + 1) + four, r = lane * (tile.Columns + 1) + four;
        left[l] = slice.Left0;
        if (tile.Rows > 4) left[l + 4] = slice.Left1;
        right[r] = slice.Right0;
        right[r + 4] = slice.Right1;
        right[r + 8] = slice.Right2;
        right[r + 12] = slice.Right3;
        if (tile.Columns <= 16) return;
        right[r + 16] = slice.Right4;
        right[r + 20] = slice.Right5;
        right[r + 24] = slice.Right6;
        right[r + 28] = slice.Right7;
    }

    /// <summary>
    /// This thread's weights into shared memory, by columns: four rows each. Column c lies in the place (c mod 4, c / 4), so that threads side by side store to neighbouring places, which are an odd number of 16 bytes apart.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Share<T>(T tile, ArrayView<float> shared, in Float4x4 columns) where T : struct, IAttentionTile
    {
        var shared4 = shared.Cast<Float4>();
        long at = (Group.IdxX & tile.Columns - 1) * (tile.Rows + 1) + (Group.IdxX >> tile.Shift);
        shared4[at] = columns.A;
        shared4[at + tile.Columns * (tile.Rows + 1)] = columns.B;
        shared4[at + 2 * tile.Columns * (tile.Rows + 1)] = columns.C;
        shared4[at + 3 * tile.Columns * (tile.Rows + 1)] = columns.D;
    }

    /// <summary>Adds weights times values for a tile of columns and a stretch of channels: this thread's four rows by four channels. Nobody reads or writes the shared memory any more when it returns.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="sums">What is added to.</param>
    /// <param name="shared">The weights.</param>
    /// <param name="right">Room for a slice of values.</param>
    /// <param name="values">The values.</param>
    /// <param name="first">The tile's first column.</param>
    /// <param name="channel">First channel of the stretch.</param>
    /// <param name="begin">First column that one of the group's rows has.</param>
    /// <param name="end">First that none has any more.</param>
    /// <param name="reach">Which columns this thread's rows have.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4x4 AddProducts<T>(T tile, Float4x4 sums, ArrayView<float> shared, ArrayView<float> right, in AttentionOperand values, int first, int channel, int begin, int end, in AttentionReach reach)
        where T : struct, IAttentionTile
    {
        var shared4 = shared.Cast<Float4>();
        var right4 = right.Cast<Float4>();
        int row = Group.IdxX >> tile.Shift, column = Group.IdxX & tile.Columns - 1;
        // 512 floats of values a slice and warp, sixteen a thread: 32 columns of 64 channels, or 16 of 128.
        int lane = Group.IdxX & 4 * tile.Columns - 1, line = Group.IdxX >> tile.Shift + 2, step = tile.Rows / 4, columns = 4 * tile.Rows;
        int from = reach.From + 3 * reach.FromStep, to = reach.To, last = reach.To + 3 * reach.ToStep;
        var source = values.Channel(channel + lane);
        var start = Math.Max(begin - first, 0) & -columns;
        var stop = Math.Min(end - first, 4 * tile.Columns);
        var next = FetchValues(source, first + start + line, step);
        for (var slice = start; slice < stop; slice += columns)
        {
            long at = line * (4 * tile.Columns + 4) + lane;
            PutFour(right, at, step * (4 * tile.Columns + 4), next.A);
            PutFour(right, at + 4 * step * (4 * tile.Columns + 4), step * (4 * tile.Columns + 4), next.B);
            PutFour(right, at + 8 * step * (4 * tile.Columns + 4), step * (4 * tile.Columns + 4), next.C);
            PutFour(right, at + 12 * step * (4 * tile.Columns + 4), step * (4 * tile.Columns + 4), next.D);
            Group.Barrier();
            if (slice + columns < stop) next = FetchValues(source, first + slice + columns + line, step);
            for (var i = 0; i < columns; i += 4)
            {
                var c = first + slice + i;
                long w = (slice + i >> 2) * (tile.Rows + 1) + row, v = i * (tile.Columns + 1) + column;
                if (c >= from && c + 4 <= to)
                {
                    sums = sums.Plus(shared4[w], right4[v]);
                    sums = sums.Plus(shared4[w + tile.Columns * (tile.Rows + 1)], right4[v + (tile.Columns + 1)]);
                    sums = sums.Plus(shared4[w + 2 * tile.Columns * (tile.Rows + 1)], right4[v + 2 * (tile.Columns + 1)]);
                    sums = sums.Plus(shared4[w + 3 * tile.Columns * (tile.Rows + 1)], right4[v + 3 * (tile.Columns + 1)]);
                }
                else if (c + 4 > reach.From && c < last)
                {
                    for (var j = 0; j < 4; j++)
                    {
                        Float4 weights = shared4[w + j * tile.Columns * (tile.Rows + 1)], vector = right4[v + j * (tile.Columns + 1)];
                        if (reach.Has(0, c + j)) sums.A = sums.A.Plus(weights.X, vector);
                        if (reach.Has(1, c + j)) sums.B = sums.B.Plus(weights.Y, vector);
                        if (reach.Has(2, c + j)) sums.C = sums.C.Plus(weights.Z, vector);
                        if (reach.Has(3, c + j)) sums.D = sums.D.Plus(weights.W, vector);
                    }
                }
            }
            Group.Barrier();
        }
        return sums;
    }

    /// <summary>One channel of sixteen columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4x4 FetchValues(AttentionChannel values, int first, int step) => new()
    {
        A = values.Four(first, step),
        B = values.Four(first + 4 * step, step),
        C = values.Four(first + 8 * step, step),
        D = values.Four(first + 12 * step, step),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutFour(ArrayView<float> shared, long at, int step, Float4 values)
    {
        shared[at] = values.X;
        shared[at + step] = values.Y;
        shared[at + 2 * step] = values.Z;
        shared[at + 3 * step] = values.W;
    }

    /// <summary>Four neighbours of what is known of each query; 0 beyond the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 Row(ArrayView<float> values, long at, int count)
    {
        Float4 row = default;
        if (count > 0) row.X = values[at];
        if (count > 1) row.Y = values[at + 1];
        if (count > 2) row.Z = values[at + 2];
        if (count > 3) row.W = values[at + 3];
        return row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(ArrayView<float> values, long at, int count, Float4 row)
    {
        if (count > 0) values[at] = row.X;
        if (count > 1) values[at + 1] = row.Y;
        if (count > 2) values[at + 2] = row.Z;
        if (count > 3) values[at + 3] = row.W;
    }

    /// <summary>Four rows by four channels, as far as there are such.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ArrayView<float> values, long at, int stride, int rows, int channel, int size, in Float4x4 sums)
    {
        var channels = size - channel;
        if (rows > 0) StoreRow(values, at + channel, channels, sums.A);
        if (rows > 1) StoreRow(values, at + stride + channel, channels, sums.B);
        if (rows > 2) StoreRow(values, at + 2L * stride + channel, channels, sums.C);
        if (rows > 3) StoreRow(values, at + 3L * stride + channel, channels, sums.D);
    }
}
