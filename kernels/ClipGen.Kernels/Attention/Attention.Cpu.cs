using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IAttention
{
    /// <inheritdoc/>
    public void Attention(in AttentionShape shape, View<float> query, View<float> key, View<float> value, View<float> output) =>
        Attend(shape, DropoutMask.None, query, key, value, output);

    /// <inheritdoc/>
    public void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        dropout.Require();
        Attend(shape, dropout, query, key, value, output);
    }

    private void Attend(in AttentionShape shape, in DropoutMask mask, View<float> query, View<float> key, View<float> value, View<float> output, [CallerMemberName] string op = "")
    {
        var s = AttentionStrides.Of(shape);
        if (s.Batch == 0 || s.QueryLength == 0) return;
        Arguments.Length(query, AttentionStrides.Floats(s, s.QueryLength, s.QueryStride), nameof(query), op);
        Arguments.Length(key, AttentionStrides.Floats(s, s.KeyLength, s.KeyStride), nameof(key), op);
        Arguments.Length(value, AttentionStrides.Floats(s, s.KeyLength, s.KeyStride), nameof(value), op);
        Arguments.Length(output, AttentionStrides.Floats(s, s.QueryLength, s.OutputStride), nameof(output), op);
        var dropout = mask;
        float* q = Pointer(query), k = Pointer(key), v = Pointer(value), o = Pointer(output);
        var level = Simd;
        var tileRows = GemmTile.Rows(level);

        // Parts: (sequence, head), and blocks of queries when there are few heads. Each part packs the head's keys and values for itself.
        var blockRows = TilesPerPass * tileRows;
        var blocks = (s.QueryLength + blockRows - 1) / blockRows;
        var split = s.Batch * s.Heads >= 2 * Workers.Threads ? 1 : blocks;
        Workers.For(checked(s.Batch * s.Heads * split), part =>
        {
            var b = part / split / s.Heads;
            var h = part / split % s.Heads;
            var keys = k + (long)b * s.KeyLength * s.KeyStride + h * s.HeadSize;
            var values = v + (long)b * s.KeyLength * s.KeyStride + h * s.HeadSize;
            int keyGroups = GemmTile.Groups(s.KeyLength), sizeGroups = GemmTile.Groups(s.HeadSize);
            long keyFloats = (long)keyGroups * GemmTile.Columns * s.HeadSize, valueFloats = (long)sizeGroups * GemmTile.Columns * s.KeyLength;
            long scoreFloats = (long)blockRows * keyGroups * GemmTile.Columns, copyFloats = (long)tileRows * Math.Max(s.HeadSize, s.KeyLength);
            var packedKeys = rowScratch.Floats(keyFloats + valueFloats + scoreFloats + copyFloats + DropoutKernel.FactorFloats(s.KeyLength));
            var packedValues = packedKeys + keyFloats;
            var scores = packedValues + valueFloats;
            var copy = scores + scoreFloats;
            var factors = copy + copyFloats;
            var sums = sumScratch.Floats(TilesPerPass * GemmTile.MaxRows * GemmTile.Columns);
            AttentionKernel.PackKeys(keys, s.KeyStride, s.KeyLength, s.HeadSize, packedKeys);
            AttentionKernel.PackValues(values, s.KeyStride, s.KeyLength, s.HeadSize, packedValues);
            for (var block = split == 1 ? 0 : part % split; block < (split == 1 ? blocks : part % split + 1); block++)
            {
                var first = block * blockRows;
                var rows = Math.Min(blockRows, s.QueryLength - first);
                AttentionKernel.Block(level, q + ((long)b * s.QueryLength + first) * s.QueryStride + h * s.HeadSize, s, first, rows,
                    dropout, ((long)(b * s.Heads + h) * s.QueryLength + first) * s.KeyLength, packedKeys, packedValues, scores, copy, factors, sums,
                    o + ((long)b * s.QueryLength + first) * s.OutputStride + h * s.HeadSize);
            }
        });
    }

    /// <inheritdoc/>
    public void AttentionDecode(in AttentionDecodeShape shape, View<float> qkv, View<float> keyCache, View<float> valueCache, View<int> lengths, View<float> output)
    {
        var (batch, heads, size, maxLength) = (shape.Batch, shape.Heads, shape.HeadSize, shape.MaxLength);
        shape.Require();
        var width = heads * size;
        Arguments.Length(qkv, 3L * batch * width);
        Arguments.Length(keyCache, (long)batch * maxLength * width);
        Arguments.Length(valueCache, (long)batch * maxLength * width);
        Arguments.Length(lengths, batch);
        Arguments.Length(output, (long)batch * width);
        var held = Pointer(lengths);
        var work = 0L;
        for (var b = 0; b < batch; b++)
        {
            if (held[b] < 0 || held[b] >= maxLength)
                throw new ArgumentOutOfRangeException(nameof(lengths), $"AttentionDecode: sequence {b} has length {held[b]}, the cache holds {maxLength} positions");
            work += (held[b] + 1L) * width;
        }
        var body = new DecodeBody
        {
            Level = Simd,
            Heads = heads,
            Size = size,
            MaxLength = maxLength,
            Qkv = Pointer(qkv),
            Keys = Pointer(keyCache),
            Values = Pointer(valueCache),
            Lengths = held,
            Output = Pointer(output),
            Scratch = rowScratch,
        };
        if (work > ParallelWork / 4) Workers.Run(batch * heads, ref body);
        else
            for (var i = 0; i < batch * heads; i++) body.Execute(i);
    }

    private struct DecodeBody : IParallelBody
    {
        public SimdLevel Level;
        public int Heads, Size, MaxLength;
        public float* Qkv, Keys, Values, Output;
        public int* Lengths;
        public ScratchMemory Scratch;

        public void Execute(int index)
        {
            int b = index / Heads, h = index % Heads, n = Lengths[b], width = Heads * Size;
            var row = Qkv + (long)b * 3 * width + h * Size;
            var at = ((long)b * Heads + h) * MaxLength * Size;
            new Span<float>(row + width, Size).CopyTo(new Span<float>(Keys + at + (long)n * Size, Size));
            new Span<float>(row + 2 * width, Size).CopyTo(new Span<float>(Values + at + (long)n * Size, Size));
            AttentionKernel.Decode(Level, row, Keys + at, Values + at, n + 1, Size, Scratch.Floats(MaxLength), Output + (long)b * width + h * Size);
        }
    }
}
