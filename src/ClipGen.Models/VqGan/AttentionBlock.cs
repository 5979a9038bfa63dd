using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>GroupNorm, then self-attention with one head over all pixels, plus the input.</summary>
internal sealed class AttentionBlock : Module, IPictureStep
{
    private readonly GroupNorm norm;
    private readonly Linear attentionIn, attentionOut;

    public AttentionBlock(WeightLoader weights) : base(weights.Path)
    {
        norm = Own(new GroupNorm(weights.In("norm")));
        var channels = weights.ShapeOf("norm.weight", 1)[0];
        var attention = weights.In("attn");
        attentionIn = Own(new Linear(attention, channels, channels < 0 ? channels : 3 * channels, weightName: "in_proj_weight", biasName: "in_proj_bias"));
        attentionOut = Own(new Linear(attention.In("out_proj"), channels, channels));
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        int batch = x.Shape[0], pixels = x.Shape[1] * x.Shape[2], channels = x.Shape[3];
        var normed = Trace.Record($"{Path}.norm", norm.Forward(x));
        var attended = attentionIn.Forward(normed.Reshape(batch, pixels, channels)).SelfAttention(1, causal: false);   // [N, H·W, C]
        if (!Trace.IsOn) return scope.Keep(attentionOut.Forward(attended, residual: x).Reshape(x.Shape));
        var projected = Trace.Record($"{Path}.attn", attentionOut.Forward(attended));
        return scope.Keep(Trace.Record(Path, projected.Reshape(x.Shape).Add(x)));
    }
}
