using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>
/// Gradients of one head of attention, a block of queries at a time. Of the score matrix only the block's rows exist: they are computed again from the operands, and all five
/// products go through <see cref="GemmTile"/>. With P the weights, F the dropout's factors, S the scaled scores:
/// <c>dV += (P∘F)ᵀ dO</c>, <c>dP = F∘(dO Vᵀ)</c>, <c>dS = P∘(dP − rowsum(dO∘O))</c>, <c>dQ = scale · dS K</c>, <c>dK += scale · dSᵀ Q</c>.
/// </summary>
internal readonly unsafe struct AttentionGradient
{
    /// <summary>Queries of a block: a multiple of all tiles' rows (12, 6, 4). Blocks end at the same queries at every level and on any number of threads, and with them the order of additions is the same.</summary>
    public const int BlockRows = 96;

    // Rows that one pass of tiles shares a depth of k over; a causal mask shortens that depth pass by pass.
    private const int PassRows = 48;

    private readonly SimdLevel level;
    private readonly AttentionShape s;
    private readonly long stride;
    private readonly float* keyPanels, valuePanels, keyColumns, queryColumns, gradientColumns, weights, scores, tiles, factors, sums;

    /// <param name="level">Instruction set.</param>
    /// <param name="s">Sizes, with all strides filled in.</param>
    /// <param name="scratch">Memory of <see cref="ScratchFloats"/> floats.</param>
    public AttentionGradient(SimdLevel level, in AttentionShape s, float* scratch)
    {
        (this.level, this.s, stride) = (level, s, RowFloats(s));
        keyPanels = Take(ref scratch, PanelFloats(s.KeyLength, s.HeadSize));
        valuePanels = Take(ref scratch, PanelFloats(s.KeyLength, s.HeadSize));
        keyColumns = Take(ref scratch, PanelFloats(s.HeadSize, s.KeyLength));
        queryColumns = Take(ref scratch, PanelFloats(s.HeadSize, BlockRows));
        gradientColumns = Take(ref scratch, PanelFloats(s.HeadSize, BlockRows));
        weights = Take(ref scratch, BlockRows * stride);
        scores = Take(ref scratch, BlockRows * stride);
        tiles = Take(ref scratch, TileFloats(s));
        factors = Take(ref scratch, DropoutKernel.FactorFloats(s.KeyLength));
        sums = Take(ref scratch, BlockRows * GemmTile.Columns);
    }

    /// <summary>Floats of scratch memory: a head's keys and values packed, and a block's rows of scores.</summary>
    public static long ScratchFloats(in AttentionShape s) =>
        2 * PanelFloats(s.KeyLength, s.HeadSize) + PanelFloats(s.HeadSize, s.KeyLength)
        + 2 * PanelFloats(s.HeadSize, BlockRows)
        + 2 * BlockRows * RowFloats(s) + TileFloats(s) + Aligned(DropoutKernel.FactorFloats(s.KeyLength)) + BlockRows * GemmTile.Columns;

    /// <summary>Keys that the queries of a block see together; those behind get nothing from it.</summary>
    public static int KeysOfBlock(in AttentionShape s, int block) =>
        s.Causal ? Math.Min(s.KeyLength, (block + 1) * BlockRows + s.KeyLength - s.QueryLength) : s.KeyLength;

    /// <summary>Clears the rows of a head's gradients of keys and values.</summary>
    public static void ClearRows(float* keyGradient, float* valueGradient, in AttentionShape s)
    {
        for (var j = 0; j < s.KeyLength; j++)
        {
            new Span<float>(keyGradient + (long)j * s.KeyStride, s.HeadSize).Clear();
            new Span<float>(valueGradient + (long)j * s.KeyStride, s.HeadSize).Clear();
        }
    }

    /// <summary>Adds rows that lie one behind the other to those of a gradient of keys or values.</summary>
    public static void AddRows(SimdLevel level, float* rows, int count, in AttentionShape s, float* target)
    {
        for (var j = 0; j < count; j++, rows += s.HeadSize, target += s.KeyStride) ElementwiseKernel.Combine<AddPair>(level, target, rows, s.HeadSize, target);
    }

    /// <summary>Packs the head's keys and values for all its blocks.</summary>
    public void PackHead(float* keys, float* values)
    {
        AttentionKernel.PackKeys(keys, s.KeyStride, s.KeyLength, s.HeadSize, keyPanels);
        AttentionKernel.PackKeys(values, s.KeyStride, s.KeyLength, s.HeadSize, valuePanels);
        AttentionKernel.PackValues(keys, s.KeyStride, s.KeyLength, s.HeadSize, keyColumns);
    }

    /// <summary>One block of queries.</summary>
    /// <param name="block">Its number.</param>
    /// <param name="dropout">The forward call's dropout.</param>
    /// <param name="firstFactor">Index of the head's first weight in it.</param>
    /// <param name="query">The block's first query in this head; likewise the next four.</param>
    /// <param name="output">Output of the forward call.</param>
    /// <param name="outputGradient">Its gradient.</param>
    /// <param name="queryGradient">Written.</param>
    /// <param name="keyGradient">First row of the head's gradient of the keys.</param>
    /// <param name="valueGradient">The same of the values.</param>
    /// <param name="keyValueStride">Floats between two rows of the last two.</param>
    /// <param name="add">Adds to the last two; otherwise the rows of <see cref="KeysOfBlock"/> are overwritten.</param>
    public void Block(int block, in DropoutMask dropout, long firstFactor, float* query, float* output, float* outputGradient,
        float* queryGradient, float* keyGradient, float* valueGradient, int keyValueStride, bool add)
    {
        var first = block * BlockRows;
        var rows = Math.Min(BlockRows, s.QueryLength - first);
        var (size, tileRows, keys) = (s.HeadSize, GemmTile.Rows(level), KeysOfBlock(s, block));
        // The block's query r sees the keys below r + seen.
        var seen = first + 1 + s.KeyLength - s.QueryLength;
        Span<RowTile> queryRoom = stackalloc RowTile[AttentionKernel.Tiles(level, rows)], gradientRoom = stackalloc RowTile[queryRoom.Length];
        var queryTiles = AttentionKernel.TileRows(level, query, s.QueryStride, rows, size, queryRoom, tiles);
        var gradientTiles = AttentionKernel.TileRows(level, outputGradient, s.OutputStride, rows, size, gradientRoom, tiles + Aligned((long)tileRows * size));
        AttentionKernel.PackValues(query, s.QueryStride, rows, size, queryColumns);
        AttentionKernel.PackValues(outputGradient, s.OutputStride, rows, size, gradientColumns);

        // 1. Scores Q·Kᵀ and dO·Vᵀ, without the tiles whose queries see none of a group's keys.
        for (var key = 0; key < keys; key += GemmTile.Columns)
        {
            var from = Unseeing(key, seen) / tileRows;
            var skipped = from * tileRows;
            var at = skipped * stride + key;
            GemmTile.MultiplyRows(level, queryTiles[from..], [0L], size, keyPanels + (long)key * size, GemmTile.Columns, sums);
            EpilogueKernel.Store(level, sums, rows - skipped, GemmTile.Columns, weights + at, stride);
            GemmTile.MultiplyRows(level, gradientTiles[from..], [0L], size, valuePanels + (long)key * size, GemmTile.Columns, sums);
            EpilogueKernel.Store(level, sums, rows - skipped, GemmTile.Columns, scores + at, stride);
        }

        // 2. Row by row: the softmax, dS in place of dO·Vᵀ, and P∘F in place of P.
        var scale = 1 / MathF.Sqrt(size);
        var end = (keys + tileRows - 1) / tileRows * tileRows;
        Span<int> ends = stackalloc int[queryRoom.Length];
        ends.Fill(end);
        AttentionKernel.Softmax(level, weights, stride, rows, s.Causal ? seen : s.KeyLength, s.Causal, s.KeyLength, ends, tileRows, scale);
        for (var r = 0; r < rows; r++)
        {
            var count = s.Causal ? r + seen : s.KeyLength;
            float* weight = weights + r * stride, score = scores + r * stride;
            var factor = dropout.Probability > 0 ? DropoutKernel.Factors(dropout, firstFactor + (long)(first + r) * s.KeyLength, count, factors) : null;
            ScoreGradient(level, weight, score, factor, count, output + (long)r * s.OutputStride, outputGradient + (long)r * s.OutputStride, size, scale);
            new Span<float>(score + count, end - count).Clear();
        }

        // 3. dQ = dS·K.
        Span<int> depths = stackalloc int[queryRoom.Length];
        for (var t = 0; t < depths.Length; t++) depths[t] = s.Causal ? Math.Min(rows, (t + 1) * tileRows) - 1 + seen : s.KeyLength;
        var scoreTiles = AttentionKernel.TileRows(level, scores, stride, rows, depths[^1], queryRoom, tiles);
        for (var column = 0; column < size; column += GemmTile.Columns)
        {
            var width = Math.Min(GemmTile.Columns, size - column);
            GemmTile.MultiplyDepths(level, scoreTiles, depths, keyColumns + (long)column * s.KeyLength, s.KeyLength, width, sums);
            EpilogueKernel.Store(level, sums, rows, width, queryGradient + column, s.QueryStride);
        }

        // 4. dV += (P∘F)ᵀ·dO and dK += dSᵀ·Q, without the queries that see none of a pass's keys.
        for (var key = 0; key < keys; key += PassRows)
        {
            var count = Math.Min(PassRows, keys - key);
            var skipped = Unseeing(key, seen);
            var at = skipped * stride + key;
            PackColumns(weights + at, rows - skipped, count);
            MultiplyColumns(count, rows - skipped, gradientColumns, rows, skipped, valueGradient + (long)key * keyValueStride, keyValueStride, add);
            PackColumns(scores + at, rows - skipped, count);
            MultiplyColumns(count, rows - skipped, queryColumns, rows, skipped, keyGradient + (long)key * keyValueStride, keyValueStride, add);
        }
    }

    /// <summary>Queries at the begin of a block that don't see a key yet.</summary>
    private int Unseeing(int key, int seen) => s.Causal ? Math.Max(0, key + 1 - seen) : 0;

    /// <summary>The tiles times all of a head's channels, from row <paramref name="skipped"/> of the panels on.</summary>
    private void MultiplyColumns(int rows, int depth, float* panels, int panelDepth, int skipped, float* target, long targetStride, bool add)
    {
        for (var column = 0; column < s.HeadSize; column += GemmTile.Columns)
            Multiply(tiles, rows, depth, panels + (long)column * panelDepth + (long)skipped * GemmTile.PanelColumns, panelDepth, Math.Min(GemmTile.Columns, s.HeadSize - column), target + column, targetStride, add);
    }

    private void Multiply(float* a, int rows, int depth, float* b, int panelDepth, int columns, float* target, long targetStride, bool add)
    {
        GemmTile.MultiplyTiles(level, a, rows, depth, b, panelDepth, columns, sums);
        EpilogueKernel.Store(level, sums, rows, columns, null, Activation.None, add ? target : null, target, targetStride);
    }

    /// <summary>Columns of a block's rows as the A operand: tile after tile of [depth][tile rows], which is how they lie in each row. The last tile may take up to a tile's width more, which is cleared.</summary>
    private void PackColumns(float* rows, int depth, int count)
    {
        var tileRows = GemmTile.Rows(level);
        var to = tiles;
        for (var column = 0; column < count; column += tileRows)
            for (var r = 0; r < depth; r++, to += tileRows)
            {
                var from = rows + r * stride + column;
                var c = 0;
                for (; c + 4 <= tileRows; c += 4) Vector128.Load(from + c).Store(to + c);
                for (; c < tileRows; c += 2) *(long*)(to + c) = *(long*)(from + c);
            }
    }

    private static void ScoreGradient(SimdLevel level, float* weights, float* scores, float* factors, int count, float* output, float* outputGradient, int size, float scale)
    {
        if (level == SimdLevel.Avx512) ScoreGradient<Simd512, Vector512<float>>(weights, scores, factors, count, output, outputGradient, size, scale);
        else if (level == SimdLevel.Avx2) ScoreGradient<Simd256, Vector256<float>>(weights, scores, factors, count, output, outputGradient, size, scale);
        else ScoreGradient<Simd128, Vector128<float>>(weights, scores, factors, count, output, outputGradient, size, scale);
    }

    /// <summary>One query: <c>scores = weights · (factors · scores − output·outputGradient) · scale</c>, <c>weights = weights · factors</c>.</summary>
    private static void ScoreGradient<S, V>(float* weights, float* scores, float* factors, int count, float* output, float* outputGradient, int size, float scale)
        where S : struct, ISimd<V> where V : struct
    {
        // Σ P dP over the keys is dO·O over the channels, with dropout too: O is the sum of the values with the weights P F.
        var products = S.Zero;
        var i = 0;
        for (; i + S.Count <= size; i += S.Count) products = S.MultiplyAdd(S.Load(output + i), S.Load(outputGradient + i), products);
        var dot = S.Sum(products);
        for (; i < size; i++) dot += output[i] * outputGradient[i];

        V mean = S.Broadcast(dot), share = S.Broadcast(scale);
        i = 0;
        if (factors == null)
        {
            for (; i + S.Count <= count; i += S.Count) S.Store(S.Multiply(S.Multiply(S.Load(weights + i), share), S.Subtract(S.Load(scores + i), mean)), scores + i);
            if (i < count)
                S.StorePartial(S.Multiply(S.Multiply(S.LoadPartial(weights + i, count - i), share), S.Subtract(S.LoadPartial(scores + i, count - i), mean)), scores + i, count - i);
            return;
        }
        for (; i + S.Count <= count; i += S.Count)
        {
            V p = S.Load(weights + i), f = S.Load(factors + i);
            S.Store(S.Multiply(S.Multiply(p, share), S.Subtract(S.Multiply(S.Load(scores + i), f), mean)), scores + i);
            S.Store(S.Multiply(p, f), weights + i);
        }
        if (i < count)
        {
            V p = S.LoadPartial(weights + i, count - i), f = S.LoadPartial(factors + i, count - i);
            S.StorePartial(S.Multiply(S.Multiply(p, share), S.Subtract(S.Multiply(S.LoadPartial(scores + i, count - i), f), mean)), scores + i, count - i);
            S.StorePartial(S.Multiply(p, f), weights + i, count - i);
        }
    }

    /// <summary>Floats of <paramref name="columns"/> columns as the B operand, whole groups of panels <paramref name="depth"/> deep.</summary>
    private static long PanelFloats(int columns, int depth) => (long)GemmTile.Groups(columns) * GemmTile.Columns * depth;

    /// <summary>Floats between two rows of scores: whole groups of keys, and room for a tile that begins in the last one.</summary>
    private static long RowFloats(in AttentionShape s) => GemmTile.Groups(s.KeyLength) * GemmTile.Columns + 16L;

    /// <summary>Room for a pass's columns of a block, and for two last tiles of its rows.</summary>
    private static long TileFloats(in AttentionShape s) => Math.Max(PassRows * BlockRows, GemmTile.MaxRows * (RowFloats(s) + 2L * s.HeadSize + 32));

    private static float* Take(ref float* scratch, long floats)
    {
        var taken = scratch;
        scratch += Aligned(floats);
        return taken;
    }

    // A cache line, so that no panel straddles two.
    private static long Aligned(long floats) => (floats + 15) / 16 * 16;
}
