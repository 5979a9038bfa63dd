namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IAttention
{
    /// <inheritdoc/>
    public void Attention(in AttentionShape shape, View<float> query, View<float> key, View<float> value, View<float> output) =>
        AttentionTraining(shape, DropoutMask.None, query, key, value, output);

    /// <inheritdoc/>
    public void AttentionTraining(in AttentionShape shape, in DropoutMask dropout, View<float> query, View<float> key, View<float> value, View<float> output)
    {
        var s = AttentionStrides.Of(shape);
        Reals q = Real(query), k = Real(key), v = Real(value), o = Real(output);
        var scores = new double[s.KeyLength];
        for (var b = 0; b < s.Batch; b++)
            for (var h = 0; h < s.Heads; h++)
                for (var t = 0; t < s.QueryLength; t++)
                {
                    var seen = s.Causal ? Math.Min(s.KeyLength, t + 1 + s.KeyLength - s.QueryLength) : s.KeyLength;
                    Attend(q + ((long)b * s.QueryLength + t) * s.QueryStride + h * s.HeadSize,
                        k + (long)b * s.KeyLength * s.KeyStride + h * s.HeadSize, v + (long)b * s.KeyLength * s.KeyStride + h * s.HeadSize,
                        s.KeyStride, seen, s.HeadSize, scores, dropout, (((long)b * s.Heads + h) * s.QueryLength + t) * s.KeyLength, o + ((long)b * s.QueryLength + t) * s.OutputStride + h * s.HeadSize);
                }
    }

    /// <inheritdoc/>
    public void AttentionDecode(in AttentionDecodeShape shape, View<float> qkv, View<float> keyCache, View<float> valueCache, View<int> lengths, View<float> output)
    {
        var (batch, heads, size, maxLength) = (shape.Batch, shape.Heads, shape.HeadSize, shape.MaxLength);
        var width = heads * size;
        var scores = new double[maxLength];
        for (var b = 0; b < batch; b++)
        {
            var n = Pointer(lengths)[b];
            if (n < 0 || n >= maxLength) throw new ArgumentOutOfRangeException(nameof(lengths), $"AttentionDecode: sequence {b} has length {n}, the cache holds {maxLength} positions");
            var row = Real(qkv) + (long)b * 3 * width;
            for (var h = 0; h < heads; h++)
            {
                var at = ((long)b * heads + h) * maxLength * size;
                Reals k = Real(keyCache) + at, v = Real(valueCache) + at;
                for (var d = 0; d < size; d++)
                {
                    k[(long)n * size + d] = row[width + h * size + d];
                    v[(long)n * size + d] = row[2 * width + h * size + d];
                }
                Attend(row + h * size, k, v, size, n + 1, size, scores, DropoutMask.None, 0, Real(output) + (long)b * width + h * size);
            }
        }
    }

    /// <summary>One query against <paramref name="count"/> keys; <paramref name="firstFactor"/> is the dropout's index of the first.</summary>
    private static void Attend(Reals query, Reals keys, Reals values, int stride, int count, int size, double[] weights, in DropoutMask dropout, long firstFactor, Reals output)
    {
        Weights(query, keys, stride, count, size, weights);
        for (var j = 0; j < count; j++) weights[j] *= dropout.Factor(firstFactor + j);
        for (var d = 0; d < size; d++)
        {
            var sum = 0.0;
            for (var j = 0; j < count; j++) sum += weights[j] * values[(long)j * stride + d];
            output[d] = sum;
        }
    }

    /// <summary>The softmax of one query's scores.</summary>
    private static void Weights(Reals query, Reals keys, int stride, int count, int size, double[] weights)
    {
        var max = double.NegativeInfinity;
        for (var j = 0; j < count; j++)
        {
            var dot = 0.0;
            for (var d = 0; d < size; d++) dot += query[d] * keys[(long)j * stride + d];
            weights[j] = dot / Math.Sqrt(size);
            max = Math.Max(max, weights[j]);
        }
        var total = 0.0;
        for (var j = 0; j < count; j++) total += weights[j] = Math.Exp(weights[j] - max);
        for (var j = 0; j < count; j++) weights[j] /= total;
    }
}
