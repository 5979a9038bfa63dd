using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Scaled dot-product attention.</summary>
public static class AttentionOp
{
    /// <summary>Self-attention from a packed product: qkv [N, T, 3C] with query, key and value side by side -> [N, T, C].</summary>
    /// <param name="qkv">The packed product.</param>
    /// <param name="heads">Heads; C is a multiple of it.</param>
    /// <param name="causal">Whether a position sees only itself and earlier ones.</param>
    /// <param name="dropout">Dropout on the attention weights, for training.</param>
    /// <remarks>Gradients: <see cref="IAttention.AttentionBackward"/>, which computes the scores again.</remarks>
    public static Tensor SelfAttention(this Tensor qkv, int heads, bool causal, DropoutMask dropout = default)
    {
        ShapeException.Require(heads > 0 && qkv.Shape.Rank == 3 && qkv.Shape[2] % (3 * heads) == 0, "Attention", $"qkv {qkv.Shape} must be [N, T, 3C] with C a multiple of {heads} heads");
        int batch = qkv.Shape[0], length = qkv.Shape[1], channels = qkv.Shape[2] / 3;
        var output = qkv.Device.Empty(new Shape(batch, length, channels));
        var shape = new AttentionShape
        {
            Batch = batch,
            Heads = heads,
            HeadSize = channels / heads,
            QueryLength = length,
            KeyLength = length,
            Causal = causal,
            QueryStride = 3 * channels,
            KeyStride = 3 * channels,
            OutputStride = channels,
        };
        if (output.Count == 0) return output;
        var (query, key, value) = Parts(qkv, channels);
        if (dropout.Probability == 0) qkv.Device.Backend.Attention(shape, query, key, value, output.Floats);
        else qkv.Device.Backend.AttentionTraining(shape, dropout, query, key, value, output.Floats);
        if (Tape.Wants(qkv))
            Tape.Record("Attention", output, [qkv], [qkv, output], (dy, saved, gradients) =>
            {
                var gradient = gradients.Empty(0);
                var (q, k, v) = Parts(saved[0], channels);
                var (dq, dk, dv) = Parts(gradient, channels);
                dy.Device.Backend.AttentionBackward(shape, dropout, q, k, v, saved[1].Floats, dy.Floats, dq, dk, dv);
                gradients.Add(0, gradient);
            });
        return output;
    }

    /// <summary>One cached step: qkv [N, 3C] of the new position -> [N, C]; caches [N, heads, MaxLength, C/heads], lengths int [N] before the step. For inference: it lets no gradient through.</summary>
    /// <exception cref="InvalidOperationException">A gradient is being recorded.</exception>
    public static Tensor AttentionDecode(this Tensor qkv, Tensor keyCache, Tensor valueCache, Tensor lengths)
    {
        ShapeException.Require(keyCache.Shape.Rank == 4 && keyCache.Shape == valueCache.Shape, "AttentionDecode", $"caches {keyCache.Shape} and {valueCache.Shape} must be equal, [N, heads, length, size]");
        int batch = keyCache.Shape[0], heads = keyCache.Shape[1], size = keyCache.Shape[3];
        ShapeException.Require(qkv.Shape == new Shape(batch, 3 * heads * size) && lengths.Shape == new Shape(batch), "AttentionDecode", $"qkv {qkv.Shape} and lengths {lengths.Shape} for cache {keyCache.Shape}");
        if (Tape.Wants(qkv, keyCache, valueCache)) throw new InvalidOperationException("AttentionDecode: the cached step has no gradient; use SelfAttention over the whole sequence, or Tape.Pause() to decode inside a training step");
        var output = qkv.Device.Empty(new Shape(batch, heads * size));
        qkv.Device.Backend.AttentionDecode(new AttentionDecodeShape(batch, heads, size, keyCache.Shape[2]), qkv.Floats, keyCache.Floats, valueCache.Floats, lengths.Ints, output.Floats);
        return output;
    }

    private static (View<float> Query, View<float> Key, View<float> Value) Parts(Tensor packed, int channels)
    {
        var all = packed.Floats;
        return (all, all.Slice(channels, all.Length - channels), all.Slice(2 * channels, all.Length - 2 * channels));
    }
}
