using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>A step of the encoder or decoder: pictures in, pictures out, channels last.</summary>
internal interface IPictureStep : IDisposable
{
    /// <summary>x [N, H, W, C] -> [N, H', W', C'].</summary>
    Tensor Forward(Tensor x);
}

/// <summary>GroupNorm, SiLU, conv 3x3, GroupNorm, SiLU, conv 3x3, plus the input (through a 1x1 convolution where the widths differ).</summary>
internal sealed class ResidualBlock : Module, IPictureStep
{
    private readonly GroupNorm norm1, norm2;
    private readonly Conv2d conv1, conv2;
    private readonly Conv2d? shortcut;

    public ResidualBlock(WeightLoader weights) : base(weights.Path)
    {
        // The indices are those of the reference's layer list: 1 and 4 are SiLU, 5 is dropout.
        var block = weights.In("block");
        norm1 = Own(new GroupNorm(block.In("0")));
        conv1 = Own(new Conv2d(block.In("2"), 3, padBefore: 1));
        norm2 = Own(new GroupNorm(block.In("3")));
        conv2 = Own(new Conv2d(block.In("6"), 3, padBefore: 1));
        if (weights.Has("shortcut.weight")) shortcut = Own(new Conv2d(weights.In("shortcut"), 1));
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        if (Trace.IsOn) return scope.Keep(ForwardTraced(x));
        var hidden = norm1.Forward(x, Activation.Silu);
        var first = conv1.Forward(hidden);
        hidden.Dispose();
        hidden = norm2.Forward(first, Activation.Silu);
        first.Dispose();
        return scope.Keep(conv2.Forward(hidden, residual: shortcut?.Forward(x) ?? x));
    }

    private Tensor ForwardTraced(Tensor x)
    {
        var hidden = Trace.Record($"{Path}.block.0", norm1.Forward(x));
        hidden = Trace.Record($"{Path}.block.1", hidden.Activate(Activation.Silu));
        hidden = Trace.Record($"{Path}.block.2", conv1.Forward(hidden));
        hidden = Trace.Record($"{Path}.block.3", norm2.Forward(hidden));
        hidden = Trace.Record($"{Path}.block.4", hidden.Activate(Activation.Silu));
        hidden = Trace.Record($"{Path}.block.6", conv2.Forward(hidden));
        var side = shortcut is null ? x : Trace.Record($"{Path}.shortcut", shortcut.Forward(x));
        return Trace.Record(Path, hidden.Add(side));
    }
}
