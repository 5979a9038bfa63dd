using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Gpt;

/// <summary>One pre-norm transformer block with exact GELU: PyTorch's <c>TransformerEncoderLayer(norm_first=True)</c> under a causal mask.</summary>
internal sealed class GptBlock : Module
{
    private readonly int heads;
    private readonly LayerNorm norm1, norm2;
    private readonly Linear attentionIn, attentionOut, linear1, linear2;

    public GptBlock(WeightLoader weights, int width, int heads) : base(weights.Path)
    {
        this.heads = heads;
        var encoder = weights.In("encoder");
        attentionIn = Own(new Linear(encoder.In("self_attn"), width, 3 * width, weightName: "in_proj_weight", biasName: "in_proj_bias"));
        attentionOut = Own(new Linear(encoder.In("self_attn").In("out_proj"), width, width));
        linear1 = Own(new Linear(encoder.In("linear1"), width, 4 * width));
        linear2 = Own(new Linear(encoder.In("linear2"), 4 * width, width));
        norm1 = Own(new LayerNorm(encoder.In("norm1"), width));
        norm2 = Own(new LayerNorm(encoder.In("norm2"), width));
    }

    /// <summary>Whole sequences: x [N, T, C] -> [N, T, C].</summary>
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        if (Trace.IsOn) return scope.Keep(ForwardTraced(x));
        x = attentionOut.Forward(attentionIn.Forward(norm1.Forward(x)).SelfAttention(heads, causal: true), residual: x);
        return scope.Keep(FeedForward(x));
    }

    /// <summary>Whole sequences in training, with dropout on the attention weights, behind the attention, inside and behind the feed-forward part.</summary>
    /// <param name="x">[N, T, C].</param>
    /// <param name="dropout">Its masks.</param>
    /// <param name="layer">Number of the block, which names its masks.</param>
    public Tensor ForwardTraining(Tensor x, GptDropout dropout, int layer)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        var attended = attentionIn.Forward(norm1.Forward(x)).SelfAttention(heads, causal: true, dropout.Mask(layer, GptDropout.Use.Attention));
        x = attentionOut.Forward(attended).Dropout(dropout.Mask(layer, GptDropout.Use.BehindAttention)).Add(x);
        var hidden = linear1.Forward(norm2.Forward(x), Activation.Gelu).Dropout(dropout.Mask(layer, GptDropout.Use.InFeedForward));
        return scope.Keep(linear2.Forward(hidden).Dropout(dropout.Mask(layer, GptDropout.Use.BehindFeedForward)).Add(x));
    }

    /// <summary>Softmax(q·k / √d) under the causal mask, the mean over the heads, of one sequence [1, T, C]: [T, T], in double precision on the host.</summary>
    public float[] AttentionWeights(Tensor x)
    {
        using var scope = new TensorScope();
        var qkv = attentionIn.Forward(norm1.Forward(x)).ToFloats();
        var (length, width) = (x.Shape[1], x.Shape[2]);
        var size = width / heads;
        var weights = new float[length * length];
        var scores = new double[length];
        for (var head = 0; head < heads; head++)
            for (var t = 0; t < length; t++)
            {
                var query = qkv.AsSpan(t * 3 * width + head * size, size);
                var most = double.NegativeInfinity;
                for (var s = 0; s <= t; s++)
                {
                    var key = qkv.AsSpan(s * 3 * width + width + head * size, size);
                    var dot = 0.0;
                    for (var i = 0; i < size; i++) dot += (double)query[i] * key[i];
                    most = Math.Max(most, scores[s] = dot / Math.Sqrt(size));
                }
                var sum = 0.0;
                for (var s = 0; s <= t; s++) sum += scores[s] = Math.Exp(scores[s] - most);
                for (var s = 0; s <= t; s++) weights[t * length + s] += (float)(scores[s] / sum / heads);
            }
        return weights;
    }

    /// <summary>One new position per sequence: x [N, C] -> [N, C]; its key and value join the caches.</summary>
    public Tensor Decode(Tensor x, Tensor keys, Tensor values, Tensor lengths)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        var attended = attentionIn.Forward(norm1.Forward(x)).AttentionDecode(keys, values, lengths);
        return scope.Keep(FeedForward(attentionOut.Forward(attended, residual: x)));
    }

    private Tensor FeedForward(Tensor x) => linear2.Forward(linear1.Forward(norm2.Forward(x), Activation.Gelu), residual: x);

    /// <summary>The same with every step on its own, so that each has an output to record.</summary>
    private Tensor ForwardTraced(Tensor x)
    {
        var normed = Trace.Record($"{Path}.encoder.norm1", norm1.Forward(x));
        var attended = Trace.Record($"{Path}.encoder.self_attn", attentionOut.Forward(attentionIn.Forward(normed).SelfAttention(heads, causal: true)));
        x = x.Add(attended);
        normed = Trace.Record($"{Path}.encoder.norm2", norm2.Forward(x));
        var hidden = Trace.Record($"{Path}.encoder.linear1", linear1.Forward(normed));
        hidden = Trace.Record($"{Path}.encoder.linear2", linear2.Forward(hidden.Activate(Activation.Gelu)));
        x = x.Add(hidden);
        Trace.Record($"{Path}.encoder", x);
        return Trace.Record(Path, x);
    }
}
