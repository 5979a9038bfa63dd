using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IAttention
{
    /// <inheritdoc/>
    public void Attention(in AttentionShape shape, View<float> query, View<float> key, View<float> value, View<float> output) => Attend(shape, DropoutMask.None, query, key, value, output);

    /// <inheritdoc/>
    public void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        dropout.Require();
        Attend(shape, dropout, query, key, value, output);
    }

    /// <inheritdoc/>
    public void AttentionDecode(in AttentionDecodeShape shape, View<float> qkv, View<float> keyCache, View<float> valueCache, View<int> lengths, View<float> output)
    {
        shape.Require();
        var width = shape.Heads * shape.HeadSize;
        Arguments.Length(qkv, 3L * shape.Batch * width);
        Arguments.Length(keyCache, (long)shape.Batch * shape.MaxLength * width);
        Arguments.Length(valueCache, (long)shape.Batch * shape.MaxLength * width);
        Arguments.Length(lengths, shape.Batch);
        Arguments.Length(output, (long)shape.Batch * width);
        Arguments.Require((long)shape.Batch * shape.MaxLength * width <= int.MaxValue, $"caches of {shape.Batch} sequences of {shape.MaxLength} x {width} floats: at most 2³¹ in one call");
        var size = shape.HeadSize;
        if ((size & 3) == 0 && HasWholeQuads(qkv) && HasWholeQuads(keyCache) && HasWholeQuads(valueCache))
        {
            var quads = size >> 2;
            Decode(shape, lengths, output, View(keyCache), View(valueCache), new WholeQuads { Values = View(qkv).Cast<Float4>(), Quads = quads }, new WholeQuads { Values = View(keyCache).Cast<Float4>(), Quads = quads }, new WholeQuads { Values = View(valueCache).Cast<Float4>(), Quads = quads }, View(qkv));
        }
        else
        {
            Decode(shape, lengths, output, View(keyCache), View(valueCache), new PartialQuads { Values = View(qkv), Length = size }, new PartialQuads { Values = View(keyCache), Length = size }, new PartialQuads { Values = View(valueCache), Length = size }, View(qkv));
        }
    }

    private void Decode<Q>(in AttentionDecodeShape shape, View<int> lengths, View<float> output, ArrayView<float> keyCache, ArrayView<float> valueCache, Q rows, Q keys, Q values, ArrayView<float> qkv) where Q : struct, IQuads
    {
        // Lanes of a key: a power of two that holds its quads, at most a warp.
        int quads = (shape.HeadSize + 3) >> 2, log = 0;
        while (1 << log < quads && log < 5) log++;
        Launch(AttentionDecodeCuda.AttentionDecode, new Index2D(shape.Batch * shape.Heads, (quads + 31) >> 5), AttentionDecodeCuda.Threads, new AttentionDecodeArguments<Q>
        {
            Rows = rows,
            Keys = keys,
            Values = values,
            Qkv = qkv,
            KeyCache = keyCache,
            ValueCache = valueCache,
            Output = View(output),
            Lengths = View(lengths),
            Faults = faults.Note,
            Heads = shape.Heads,
            Size = shape.HeadSize,
            Quads = quads,
            LogLanes = log,
            MaxLength = shape.MaxLength,
            Scale = (float)(1 / Math.Sqrt(shape.HeadSize)),
        });
    }

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, View<float> outputGradient,
        View<float> queryGradient, View<float> keyGradient, View<float> valueGradient)
    {
        dropout.Require();
        var s = AttentionStrides.Of(shape);
        if (s.Batch == 0) return;
        long queryFloats = AttentionStrides.Floats(s, s.QueryLength, s.QueryStride), keyFloats = AttentionStrides.Floats(s, s.KeyLength, s.KeyStride), outputFloats = AttentionStrides.Floats(s, s.QueryLength, s.OutputStride);
        Arguments.Length(query, queryFloats);
        Arguments.Length(key, keyFloats);
        Arguments.Length(value, keyFloats);
        Arguments.Length(output, outputFloats);
        Arguments.Length(outputGradient, outputFloats);
        Arguments.Length(queryGradient, queryFloats);
        Arguments.Length(keyGradient, keyFloats);
        Arguments.Length(valueGradient, keyFloats);
        if (OnTensorCores(s))
        {
            TensorCoreAttentionBackward(s, dropout, query, key, value, output, outputGradient, queryGradient, keyGradient, valueGradient);
            return;
        }
        var rows = (long)s.Batch * s.Heads * s.QueryLength;
        using var memory = Allocate(12 * rows);
        var arguments = ArgumentsOf(s, dropout, query, key, value, output) with
        {
            OutputGradient = View(outputGradient),
            QueryGradient = View(queryGradient),
            KeyGradient = View(keyGradient),
            ValueGradient = View(valueGradient),
            Maxima = View(new View<float>(memory, 0, rows)),
            InverseSums = View(new View<float>(memory, rows, rows)),
            Deltas = View(new View<float>(memory, 2 * rows, rows)),
        };
        // The queries' rows first: what they leave of their softmax is what gradients need.
        var heads = s.Batch * s.Heads;
        Launch(AttentionTensorCoreCuda.AttentionDeltas, new Index2D(heads, s.QueryLength), GroupReduce.WarpSize, new AttentionDeltaArguments
        {
            Output = View(output),
            OutputGradient = View(outputGradient),
            Deltas = arguments.Deltas,
            Heads = s.Heads,
            Size = s.HeadSize,
            Length = s.QueryLength,
            Stride = s.OutputStride,
        });
        if (s.HeadSize <= AttentionTileCuda.NarrowSize) Gradients<NarrowHeads>(s, arguments);
        else Gradients<WideHeads>(s, arguments);
    }

    private void Gradients<T>(in AttentionShape s, in AttentionArguments arguments) where T : struct, IAttentionTile
    {
        LaunchTiles<T>(AttentionTileCuda.AttentionTile<T>, s, s.QueryLength, 1, arguments with { Output = default });
        LaunchTiles<T>(AttentionTileCuda.AttentionTileQueryGradient<T>, s, s.QueryLength, s.HeadSize, arguments);
        LaunchTiles<T>(AttentionTileCuda.AttentionTileKeyGradient<T>, s, s.KeyLength, s.HeadSize, arguments);
    }

    /// <summary>A group for each tile of rows and each stretch of channels.</summary>
    private void LaunchTiles<T>(Action<AttentionArguments> kernel, in AttentionShape s, int rows, int channels, in AttentionArguments arguments) where T : struct, IAttentionTile
    {
        // Kernels count the floats of a sequence in 32 bits.
        Arguments.Require(Math.Max((long)s.QueryLength * Math.Max(s.QueryStride, s.OutputStride), (long)s.KeyLength * s.KeyStride) <= int.MaxValue, "a sequence's operand reaches over more than 2³¹ floats", nameof(Attention));
        T tile = default;
        Launch(kernel, new Index3D(s.Batch * s.Heads, ChunksOf(rows, 4 * tile.Rows), ChunksOf(channels, 4 * tile.Columns)), AttentionTileCuda.Threads, arguments);
    }

    private void Attend(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output, [CallerMemberName] string op = "")
    {
        var s = AttentionStrides.Of(shape);
        if (s.Batch == 0 || s.QueryLength == 0) return;
        Arguments.Length(query, AttentionStrides.Floats(s, s.QueryLength, s.QueryStride), nameof(query), op);
        Arguments.Length(key, AttentionStrides.Floats(s, s.KeyLength, s.KeyStride), nameof(key), op);
        Arguments.Length(value, AttentionStrides.Floats(s, s.KeyLength, s.KeyStride), nameof(value), op);
        Arguments.Length(output, AttentionStrides.Floats(s, s.QueryLength, s.OutputStride), nameof(output), op);
        if (OnTensorCores(s))
        {
            TensorCoreAttention(s, dropout, query, key, value, output);
            return;
        }
        var arguments = ArgumentsOf(s, dropout, query, key, value, output);
        if (s.HeadSize <= AttentionTileCuda.NarrowSize) LaunchTiles<NarrowHeads>(AttentionTileCuda.AttentionTile<NarrowHeads>, s, s.QueryLength, s.HeadSize, arguments);
        else LaunchTiles<WideHeads>(AttentionTileCuda.AttentionTile<WideHeads>, s, s.QueryLength, s.HeadSize, arguments);
    }

    private static AttentionArguments ArgumentsOf(in AttentionShape s, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output) => new()
    {
        Query = View(query),
        Key = View(key),
        Value = View(value),
        Output = View(output),
        Dropout = dropout,
        Heads = s.Heads,
        Size = s.HeadSize,
        QueryLength = s.QueryLength,
        KeyLength = s.KeyLength,
        QueryStride = s.QueryStride,
        KeyStride = s.KeyStride,
        OutputStride = s.OutputStride,
        Causal = s.Causal ? 1 : 0,
        Scale = (float)(1 / Math.Sqrt(s.HeadSize)),
    };

    private static int ChunksOf(int size, int threads) => (size + threads - 1) / threads;
}
