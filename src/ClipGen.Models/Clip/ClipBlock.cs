using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Clip;

/// <summary>One pre-norm transformer block: <c>x + attention(norm(x))</c>, then <c>x + mlp(norm(x))</c> with QuickGELU between its two layers.</summary>
internal sealed class ClipBlock : Module
{
    private readonly int heads;
    private readonly bool causal;
    private readonly LayerNorm norm1, norm2;
    private readonly Linear attentionIn, attentionOut, expand, contract;

    public ClipBlock(WeightLoader weights, int width, int heads, bool causal) : base(weights.Path)
    {
        this.heads = heads;
        this.causal = causal;
        attentionIn = Own(new Linear(weights.In("attn"), width, 3 * width, weightName: "in_proj_weight", biasName: "in_proj_bias"));
        attentionOut = Own(new Linear(weights.In("attn").In("out_proj"), width, width));
        norm1 = Own(new LayerNorm(weights.In("ln_1"), width));
        expand = Own(new Linear(weights.In("mlp").In("c_fc"), width, 4 * width));
        contract = Own(new Linear(weights.In("mlp").In("c_proj"), 4 * width, width));
        norm2 = Own(new LayerNorm(weights.In("ln_2"), width));
    }

    /// <summary>x [N, T, C] -> [N, T, C].</summary>
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        if (Trace.IsOn) return scope.Keep(ForwardTraced(x));
        var attended = attentionIn.Forward(norm1.Forward(x)).SelfAttention(heads, causal);
        x = attentionOut.Forward(attended, residual: x);
        var hidden = expand.Forward(norm2.Forward(x), Activation.QuickGelu);
        return scope.Keep(contract.Forward(hidden, residual: x));
    }

    /// <summary>The same with every step on its own, so that each has an output to record.</summary>
    private Tensor ForwardTraced(Tensor x)
    {
        var normed = Trace.Record($"{Path}.ln_1", norm1.Forward(x));
        var attended = Trace.Record($"{Path}.attn", attentionOut.Forward(attentionIn.Forward(normed).SelfAttention(heads, causal)));
        x = x.Add(attended);
        normed = Trace.Record($"{Path}.ln_2", norm2.Forward(x));
        var hidden = Trace.Record($"{Path}.mlp.c_fc", expand.Forward(normed));
        hidden = Trace.Record($"{Path}.mlp.gelu", hidden.Activate(Activation.QuickGelu));
        hidden = Trace.Record($"{Path}.mlp.c_proj", contract.Forward(hidden));
        Trace.Record($"{Path}.mlp", hidden);
        return Trace.Record(Path, x.Add(hidden));
    }
}
