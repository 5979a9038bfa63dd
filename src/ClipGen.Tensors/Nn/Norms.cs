using ClipGen.Kernels;

namespace ClipGen.Tensors.Nn;

/// <summary>Layer normalisation with learned gain and offset (<c>weight</c>, <c>bias</c>), eps 1e-5.</summary>
public sealed class LayerNorm : Module
{
    private readonly Tensor gamma, beta;

    /// <summary>Loads the layer.</summary>
    public LayerNorm(WeightLoader weights, int channels) : base(weights.Path)
    {
        gamma = Own(weights.Tensor("weight", channels));
        beta = Own(weights.Tensor("bias", channels));
    }

    /// <summary>Normalises the last axis.</summary>
    public Tensor Forward(Tensor x) => x.LayerNorm(gamma, beta);
}

/// <summary>Group normalisation with learned gain and offset, 32 groups, eps 1e-5.</summary>
public sealed class GroupNorm : Module
{
    private readonly Tensor gamma, beta;
    private readonly int groups;

    /// <summary>Loads the layer.</summary>
    public GroupNorm(WeightLoader weights, int groups = 32) : base(weights.Path)
    {
        var channels = weights.ShapeOf("weight", 1)[0];
        this.groups = groups;
        gamma = Own(weights.Tensor("weight", channels));
        beta = Own(weights.Tensor("bias", channels));
    }

    /// <summary>Normalises and applies an activation.</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None) => x.GroupNorm(gamma, beta, groups, 1e-5f, activation);
}

/// <summary>Batch normalisation with its running statistics, eps 1e-5.</summary>
public sealed class BatchNorm2d : Module
{
    private readonly Tensor gamma, beta, mean, variance;

    /// <summary>Loads the layer.</summary>
    public BatchNorm2d(WeightLoader weights) : base(weights.Path)
    {
        var channels = weights.ShapeOf("weight", 1)[0];
        gamma = Own(weights.Tensor("weight", channels));
        beta = Own(weights.Tensor("bias", channels));
        mean = Own(weights.Tensor("running_mean", channels));
        variance = Own(weights.Tensor("running_var", channels));
    }

    /// <summary>Normalises with the running statistics and applies an activation.</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None) => x.BatchNormInference(gamma, beta, mean, variance, 1e-5f, activation);
}
