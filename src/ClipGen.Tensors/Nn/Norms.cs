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
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        return x.LayerNorm(gamma, beta);
    }
}

/// <summary>Group normalisation with learned gain and offset. It has 32 groups and eps 1e-5 unless the weights' source states others, under <c>groups</c> and <see cref="EpsOption"/>.</summary>
public sealed class GroupNorm : Module
{
    /// <summary>Option of a source of weights: eps in millionths.</summary>
    public const string EpsOption = "group_norm_eps_millionths";

    private readonly Tensor gamma, beta;
    private readonly int groups;
    private readonly float eps;

    /// <summary>Loads the layer.</summary>
    /// <exception cref="WeightException">The channels do not form that many groups.</exception>
    public GroupNorm(WeightLoader weights) : base(weights.Path)
    {
        var channels = weights.ShapeOf("weight", 1)[0];
        groups = weights.Option("groups") ?? 32;
        if (groups < 1 || (channels > 0 && channels % groups != 0)) throw new WeightException($"{weights.NameOf("weight")} has {channels} channels, which do not form {groups} groups");
        var millionths = weights.Option(EpsOption) ?? 10;
        eps = millionths > 0 ? (float)(millionths / 1e6) : throw new WeightException($"{weights.NameOf("weight")}: {EpsOption} is {millionths}, expected a positive number");
        gamma = Own(weights.Tensor("weight", channels));
        beta = Own(weights.Tensor("bias", channels));
    }

    /// <summary>Normalises and applies an activation.</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None)
    {
        using var span = Entered(x);
        return x.GroupNorm(gamma, beta, groups, eps, activation);
    }
}

/// <summary>Batch normalisation with its running statistics, eps 1e-5.</summary>
public sealed class BatchNorm2d : Module
{
    private const float Momentum = 0.1f;
    private readonly Tensor gamma, beta, mean, variance;
    private readonly Tensor? batches;

    /// <summary>Loads the layer.</summary>
    public BatchNorm2d(WeightLoader weights) : base(weights.Path)
    {
        var channels = weights.ShapeOf("weight", 1)[0];
        gamma = Own(weights.Tensor("weight", channels));
        beta = Own(weights.Tensor("bias", channels));
        mean = Own(weights.Buffer("running_mean", channels));
        variance = Own(weights.Buffer("running_var", channels));
        if (weights.Trains && weights.Has("num_batches_tracked")) batches = Own(weights.Buffer("num_batches_tracked"));
    }

    /// <summary>Normalises with the running statistics and applies an activation.</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None)
    {
        using var span = Entered(x);
        return x.BatchNormInference(gamma, beta, mean, variance, 1e-5f, activation);
    }

    /// <summary>Normalises with this batch's statistics, applies an activation, and moves the running statistics a tenth of the way to the batch's (the variance to the unbiased one).</summary>
    /// <exception cref="ShapeException">There is one value per channel, which has no variance.</exception>
    public Tensor ForwardTraining(Tensor x, Activation activation = Activation.None)
    {
        using var span = Entered(x);
        var rows = x.Shape.Rows;
        if (rows < 2) throw new ShapeException("BatchNorm", $"input {x.Shape} has one value per channel; training needs at least two to take a variance of");
        using var scope = new TensorScope();
        var y = scope.Keep(x.BatchNormTraining(gamma, beta, out var batchMean, out var batchVariance, 1e-5f, activation));
        var backend = x.Device.Backend;
        Follow(mean, batchMean, 1);
        Follow(variance, batchVariance, (float)rows / (rows - 1));
        if (batches is not null) backend.Affine(batches.Floats, 1, 1, batches.Floats);
        return y;

        void Follow(Tensor running, Tensor now, float factor)
        {
            backend.Affine(running.Floats, 1 - Momentum, 0, running.Floats);
            backend.AddScaled(now.Floats, Momentum * factor, running.Floats);
        }
    }
}
