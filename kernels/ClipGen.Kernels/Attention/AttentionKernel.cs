using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Attention of one head.</summary>
internal static unsafe class AttentionKernel
{
    /// <summary>Keys as the B operand of Q·Kᵀ: panels of 16 keys, [size][16].</summary>
    public static void PackKeys(float* keys, int stride, int count, int size, float* panels)
    {
        TilePacking.PackBRows(keys, stride, 0, count, size, panels);
        for (var j = count; j % GemmTile.Columns != 0; j++) TilePacking.ClearBRow(j, size, panels);
    }

    /// <summary>Values as the B operand of P·V: panels of 16 channels, [count][16]; channels are padded with zeros to a whole group.</summary>
    public static void PackValues(float* values, int stride, int count, int size, float* panels)
    {
        for (var first = 0; first < GemmTile.Groups(size) * GemmTile.Columns; first += GemmTile.PanelColumns)
        {
            var width = Math.Clamp(size - first, 0, GemmTile.PanelColumns);
            if (width == GemmTile.PanelColumns)
            {
                TilePacking.PackBColumns(values + first, stride, width, count, panels, 0);
                panels += (long)count * GemmTile.PanelColumns;
                continue;
            }
            for (var j = 0; j < count; j++)
            {
                new Span<float>(values + (long)j * stride + first, width).CopyTo(new Span<float>(panels, width));
                new Span<float>(panels + width, GemmTile.PanelColumns - width).Clear();
                panels += GemmTile.PanelColumns;
            }
        }
    }

    /// <summary>Rows as the A operand: whole tiles where they lie, a last one that lacks rows copied as [depth][tile rows].</summary>
    /// <param name="level">Instruction set.</param>
    /// <param name="rows">First row.</param>
    /// <param name="stride">Floats between two rows.</param>
    /// <param name="count">Rows.</param>
    /// <param name="depth">Floats of a row that the last tile takes.</param>
    /// <param name="tiles">Room for <see cref="Tiles"/> of them.</param>
    /// <param name="copy">Memory for the copy.</param>
    /// <returns>Those that were made.</returns>
    public static Span<RowTile> TileRows(SimdLevel level, float* rows, long stride, int count, int depth, Span<RowTile> tiles, float* copy)
    {
        var tileRows = GemmTile.Rows(level);
        var whole = count / tileRows;
        for (var t = 0; t < whole; t++) tiles[t] = RowTile.InPlace(rows + (long)t * tileRows * stride, tileRows, stride);
        var rest = count - whole * tileRows;
        if (rest == 0) return tiles[..whole];
        var pointers = stackalloc float*[GemmTile.MaxRows];
        for (var r = 0; r < rest; r++) pointers[r] = rows + ((long)whole * tileRows + r) * stride;
        TilePacking.PackA(pointers, rest, depth, tileRows, copy);
        tiles[whole] = RowTile.Packed(copy, rest);
        return tiles[..(whole + 1)];
    }

    /// <summary>Tiles that so many rows make.</summary>
    public static int Tiles(SimdLevel level, int rows) => (rows + GemmTile.Rows(level) - 1) / GemmTile.Rows(level);

    /// <summary>
    /// A block of queries: scores of a few dozen rows against all keys stay in the second-level cache, an exact softmax over each row, dropout of its weights, then the product with the values.
    /// <paramref name="firstFactor"/> is the dropout's index of the first query's first key.
    /// </summary>
    public static void Block(SimdLevel level, float* query, in AttentionShape s, int first, int rows, in DropoutMask dropout, long firstFactor,
        float* packedKeys, float* packedValues, float* scores, float* copy, float* factors, float* sums, float* output)
    {
        var tileRows = GemmTile.Rows(level);
        Span<RowTile> room = stackalloc RowTile[Tiles(level, rows)];
        var tiles = TileRows(level, query, s.QueryStride, rows, s.HeadSize, room, copy);

        // Keys that the last query of each tile sees; what lies behind is never computed.
        var offset = s.KeyLength - s.QueryLength;
        Span<int> depths = stackalloc int[tiles.Length];
        for (var t = 0; t < tiles.Length; t++) depths[t] = s.Causal ? Math.Min(s.KeyLength, first + Math.Min(rows, (t + 1) * tileRows) + offset) : s.KeyLength;
        var stride = (long)GemmTile.Groups(s.KeyLength) * GemmTile.Columns;
        var from = 0;
        for (var key = 0; key < depths[^1]; key += GemmTile.Columns)
        {
            while (depths[from] <= key) from++;
            var skipped = from * tileRows;
            GemmTile.MultiplyRows(level, tiles[from..], [0L], s.HeadSize, packedKeys + (long)key * s.HeadSize, GemmTile.Columns, sums);
            EpilogueKernel.Store(level, sums, rows - skipped, GemmTile.Columns, scores + skipped * stride + key, stride);
        }

        var scale = 1 / MathF.Sqrt(s.HeadSize);
        Softmax(level, scores, stride, rows, s.Causal ? first + 1 + offset : s.KeyLength, s.Causal, s.KeyLength, depths, tileRows, scale);
        if (dropout.Probability > 0)
            for (var r = 0; r < rows; r++)
            {
                var seen = s.Causal ? Math.Min(s.KeyLength, first + r + 1 + offset) : s.KeyLength;
                var row = scores + r * stride;
                ElementwiseKernel.Combine<MultiplyPair>(level, row, DropoutKernel.Factors(dropout, firstFactor + (long)r * s.KeyLength, seen, factors), seen, row);
            }

        tiles = TileRows(level, scores, stride, rows, depths[^1], room, copy);
        for (var column = 0; column < s.HeadSize; column += GemmTile.Columns)
        {
            var width = Math.Min(GemmTile.Columns, s.HeadSize - column);
            GemmTile.MultiplyDepths(level, tiles, depths, packedValues + (long)column * s.KeyLength, s.KeyLength, width, sums);
            EpilogueKernel.Store(level, sums, rows, width, output + column, s.OutputStride);
        }
    }

    /// <summary>
    /// Weights of a block's queries in place of their scores. Query r sees <paramref name="first"/> keys, or r more under a causal mask; behind them its weights are zeros, as far as its tile's product reads
    /// (<paramref name="depths"/>) and on to a whole vector, which rows of whole groups have room for.
    /// </summary>
    public static void Softmax(SimdLevel level, float* scores, long stride, int rows, int first, bool causal, int keys, ReadOnlySpan<int> depths, int tileRows, float scale)
    {
        var step = causal ? 1 : 0;
        var r = 0;
        // Four neighbours may belong to two tiles: the later one reads farther.
        for (; r + 4 <= rows; r += 4) SoftmaxKernel.Rows4(level, scores + r * stride, stride, Math.Min(first + r * step, keys), step, keys, depths[(r + 3) / tileRows], scale);
        for (; r < rows; r++)
        {
            var seen = Math.Min(first + r * step, keys);
            var row = scores + r * stride;
            SoftmaxKernel.Row(level, row, seen, scale, row);
            new Span<float>(row + seen, depths[r / tileRows] - seen).Clear();
        }
    }

    /// <summary>One query against the first <paramref name="count"/> positions of a head's caches [count][size].</summary>
    public static void Decode(SimdLevel level, float* query, float* keys, float* values, int count, int size, float* scores, float* output)
    {
        if (level == SimdLevel.Avx512) Decode<Simd512, Vector512<float>>(level, query, keys, values, count, size, scores, output);
        else if (level == SimdLevel.Avx2) Decode<Simd256, Vector256<float>>(level, query, keys, values, count, size, scores, output);
        else Decode<Simd128, Vector128<float>>(level, query, keys, values, count, size, scores, output);
    }

    private static void Decode<S, V>(SimdLevel level, float* query, float* keys, float* values, int count, int size, float* scores, float* output) where S : struct, ISimd<V> where V : struct
    {
        for (var j = 0; j < count; j++)
        {
            var key = keys + (long)j * size;
            var sum = S.Zero;
            var d = 0;
            for (; d + S.Count <= size; d += S.Count) sum = S.MultiplyAdd(S.Load(query + d), S.Load(key + d), sum);
            var dot = S.Sum(sum);
            for (; d < size; d++) dot += query[d] * key[d];
            scores[j] = dot;
        }
        SoftmaxKernel.Row(level, scores, count, 1 / MathF.Sqrt(size), scores);
        var c = 0;
        for (; c + 4 * S.Count <= size; c += 4 * S.Count)
        {
            // Four chains at once: each value row is one or two cache lines per chain.
            V s0 = S.Zero, s1 = S.Zero, s2 = S.Zero, s3 = S.Zero;
            var value = values + c;
            for (var j = 0; j < count; j++, value += size)
            {
                var p = S.Broadcast(scores[j]);
                s0 = S.MultiplyAdd(p, S.Load(value), s0);
                s1 = S.MultiplyAdd(p, S.Load(value + S.Count), s1);
                s2 = S.MultiplyAdd(p, S.Load(value + 2 * S.Count), s2);
                s3 = S.MultiplyAdd(p, S.Load(value + 3 * S.Count), s3);
            }
            S.Store(s0, output + c);
            S.Store(s1, output + c + S.Count);
            S.Store(s2, output + c + 2 * S.Count);
            S.Store(s3, output + c + 3 * S.Count);
        }
        for (; c + S.Count <= size; c += S.Count)
        {
            var sum = S.Zero;
            for (var j = 0; j < count; j++) sum = S.MultiplyAdd(S.Broadcast(scores[j]), S.Load(values + (long)j * size + c), sum);
            S.Store(sum, output + c);
        }
        for (; c < size; c++)
        {
            var sum = 0f;
            for (var j = 0; j < count; j++) sum += scores[j] * values[(long)j * size + c];
            output[c] = sum;
        }
    }
}
