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
            Sums = View(new View<float>(memory, rows, rows)),
            Deltas = View(new View<float>(memory, 2 * rows, rows)),
        };
        int heads = s.Batch * s.Heads, threads = ThreadsOf(Math.Max(s.KeyLength, s.QueryLength)), chunks = ChunksOf(s.HeadSize, threads);
        // The queries' rows first: what they leave of their softmax is what the keys' rows need.
        Launch(AttentionCuda.AttentionRows, new Index2D(heads, s.QueryLength), threads, arguments);
        Launch(AttentionCuda.AttentionQueryGradient, new Index3D(heads, s.QueryLength, chunks), threads, arguments);
        Launch(AttentionCuda.AttentionKeyGradient, new Index3D(heads, s.KeyLength, chunks), threads, arguments);
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
        var threads = ThreadsOf(s.KeyLength);
        Launch(AttentionCuda.Attention, new Index3D(s.Batch * s.Heads, s.QueryLength, ChunksOf(s.HeadSize, threads)), threads, ArgumentsOf(s, dropout, query, key, value, output));
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

internal struct AttentionArguments
{
    public ArrayView<float> Query, Key, Value, Output, OutputGradient, QueryGradient, KeyGradient, ValueGradient, Maxima, Sums, Deltas;
    public DropoutMask Dropout;
    public int Heads, Size, QueryLength, KeyLength, QueryStride, KeyStride, OutputStride, Causal;
    public float Scale;

    /// <summary>First float of a head's row of queries, keys or outputs.</summary>
    public readonly long QueryAt(int head, int t) => ((long)(head / Heads) * QueryLength + t) * QueryStride + head % Heads * Size;

    /// <inheritdoc cref="QueryAt"/>
    public readonly long KeyAt(int head, int t) => ((long)(head / Heads) * KeyLength + t) * KeyStride + head % Heads * Size;

    /// <inheritdoc cref="QueryAt"/>
    public readonly long OutputAt(int head, int t) => ((long)(head / Heads) * QueryLength + t) * OutputStride + head % Heads * Size;

    /// <summary>Keys that a query sees.</summary>
    public readonly int Seen(int t) => Causal != 0 ? t + 1 + KeyLength - QueryLength : KeyLength;
}

/// <summary>
/// Attention a row at a time: a group per query (or key, for its gradients), threads over the keys for the scores, then over the channels for the sums. Scores go through shared memory in stretches of
/// a group's width, with the running maximum and sum of the softmax (Milakov and Gimelshein 2018), so rows may be of any length.
/// </summary>
internal static class AttentionCuda
{
    /// <summary>One query, and a stretch of its channels.</summary>
    [CudaKernel]
    public static void Attention(AttentionArguments a)
    {
        int head = Grid.IdxX, t = Grid.IdxY, d = Grid.IdxZ * Group.DimX + Group.IdxX;
        var weights = SharedMemory.Allocate<float>(CudaBackend.MostThreads);
        var query = a.QueryAt(head, t);
        var seen = a.Seen(t);
        float max = float.NegativeInfinity, total = 0, sum = 0;
        for (var first = 0; first < seen; first += Group.DimX)
        {
            var j = first + Group.IdxX;
            var score = j < seen ? Dot(a.Query, query, a.Key, a.KeyAt(head, j), a.Size) * a.Scale : float.NegativeInfinity;
            var largest = GroupReduce.Max(score);
            var newMax = largest > max ? largest : max;
            // What was added so far was relative to the old maximum. A NaN in a row makes a NaN of its sum.
            var shrink = max == float.NegativeInfinity ? 0 : DeviceMath.Exp(max - newMax);
            var weight = j < seen ? DeviceMath.Exp(score - newMax) : 0;
            total = total * shrink + GroupReduce.Sum(weight);
            if (j < seen) weight *= a.Dropout.Factor(((long)head * a.QueryLength + t) * a.KeyLength + j);
            weights[Group.IdxX] = weight;
            Group.Barrier();
            sum *= shrink;
            if (d < a.Size)
            {
                var end = seen - first < Group.DimX ? seen - first : Group.DimX;
                for (var i = 0; i < end; i++) sum += weights[i] * a.Value[a.KeyAt(head, first + i) + d];
            }
            Group.Barrier();
            max = newMax;
        }
        if (d < a.Size) a.Output[a.OutputAt(head, t) + d] = sum / total;
    }

    /// <summary>A query's maximum, sum of exponentials, and Σ output · its gradient, which is the mean that the softmax's gradient takes out.</summary>
    [CudaKernel]
    public static void AttentionRows(AttentionArguments a)
    {
        int head = Grid.IdxX, t = Grid.IdxY, seen = a.Seen(t);
        var query = a.QueryAt(head, t);
        float max = float.NegativeInfinity, total = 0;
        for (var first = 0; first < seen; first += Group.DimX)
        {
            var j = first + Group.IdxX;
            var score = j < seen ? Dot(a.Query, query, a.Key, a.KeyAt(head, j), a.Size) * a.Scale : float.NegativeInfinity;
            var largest = GroupReduce.Max(score);
            var newMax = largest > max ? largest : max;
            var shrink = max == float.NegativeInfinity ? 0 : DeviceMath.Exp(max - newMax);
            total = total * shrink + GroupReduce.Sum(j < seen ? DeviceMath.Exp(score - newMax) : 0);
            max = newMax;
        }
        var output = a.OutputAt(head, t);
        var delta = 0f;
        for (var d = Group.IdxX; d < a.Size; d += Group.DimX) delta += a.Output[output + d] * a.OutputGradient[output + d];
        delta = GroupReduce.Sum(delta);
        if (Group.IdxX != 0) return;
        var row = (long)head * a.QueryLength + t;
        a.Maxima[row] = max;
        a.Sums[row] = total;
        a.Deltas[row] = delta;
    }

    /// <summary>One query's gradient: <c>dq = Σ ds k</c>, with p the weights, f the dropout's factors and <c>ds = p (f · do·v − delta) · scale</c>.</summary>
    [CudaKernel]
    public static void AttentionQueryGradient(AttentionArguments a)
    {
        int head = Grid.IdxX, t = Grid.IdxY, d = Grid.IdxZ * Group.DimX + Group.IdxX, seen = a.Seen(t);
        var scores = SharedMemory.Allocate<float>(CudaBackend.MostThreads);
        var sum = 0f;
        for (var first = 0; first < seen; first += Group.DimX)
        {
            var j = first + Group.IdxX;
            scores[Group.IdxX] = j < seen ? ScoreGradient(a, head, t, j) : 0;
            Group.Barrier();
            if (d < a.Size)
            {
                var end = seen - first < Group.DimX ? seen - first : Group.DimX;
                for (var i = 0; i < end; i++) sum += scores[i] * a.Key[a.KeyAt(head, first + i) + d];
            }
            Group.Barrier();
        }
        if (d < a.Size) a.QueryGradient[a.QueryAt(head, t) + d] = sum;
    }

    /// <summary>One key's and value's gradients: <c>dk = Σ ds q</c>, <c>dv = Σ p f do</c> over the queries that see it, in their order.</summary>
    [CudaKernel]
    public static void AttentionKeyGradient(AttentionArguments a)
    {
        int head = Grid.IdxX, j = Grid.IdxY, d = Grid.IdxZ * Group.DimX + Group.IdxX;
        var scores = SharedMemory.Allocate<float>(CudaBackend.MostThreads);
        var weights = SharedMemory.Allocate<float>(CudaBackend.MostThreads);
        var begin = 0;
        if (a.Causal != 0)
        {
            begin = j - (a.KeyLength - a.QueryLength);
            if (begin < 0) begin = 0;
        }
        float keySum = 0, valueSum = 0;
        for (var first = begin; first < a.QueryLength; first += Group.DimX)
        {
            var t = first + Group.IdxX;
            scores[Group.IdxX] = t < a.QueryLength ? ScoreGradient(a, head, t, j) : 0;
            weights[Group.IdxX] = t < a.QueryLength ? Weight(a, head, t, j) * a.Dropout.Factor(((long)head * a.QueryLength + t) * a.KeyLength + j) : 0;
            Group.Barrier();
            if (d < a.Size)
            {
                var end = a.QueryLength - first < Group.DimX ? a.QueryLength - first : Group.DimX;
                for (var i = 0; i < end; i++)
                {
                    keySum += scores[i] * a.Query[a.QueryAt(head, first + i) + d];
                    valueSum += weights[i] * a.OutputGradient[a.OutputAt(head, first + i) + d];
                }
            }
            Group.Barrier();
        }
        if (d >= a.Size) return;
        a.KeyGradient[a.KeyAt(head, j) + d] = keySum;
        a.ValueGradient[a.KeyAt(head, j) + d] = valueSum;
    }

    private static float Weight(in AttentionArguments a, int head, int t, int j)
    {
        var row = (long)head * a.QueryLength + t;
        return DeviceMath.Exp(Dot(a.Query, a.QueryAt(head, t), a.Key, a.KeyAt(head, j), a.Size) * a.Scale - a.Maxima[row]) / a.Sums[row];
    }

    private static float ScoreGradient(in AttentionArguments a, int head, int t, int j)
    {
        var row = (long)head * a.QueryLength + t;
        var through = Dot(a.OutputGradient, a.OutputAt(head, t), a.Value, a.KeyAt(head, j), a.Size) * a.Dropout.Factor(row * a.KeyLength + j);
        return Weight(a, head, t, j) * (through - a.Deltas[row]) * a.Scale;
    }

    private static float Dot(ArrayView<float> x, long at, ArrayView<float> y, long other, int count)
    {
        var sum = 0f;
        for (var i = 0; i < count; i++) sum += x[at + i] * y[other + i];
        return sum;
    }
}
