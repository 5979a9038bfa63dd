using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>Halves height and width: conv 3x3, step 2, with zeros on the right and below only.</summary>
internal sealed class Downsample : Module, IPictureStep
{
    private readonly Conv2d conv;

    public Downsample(WeightLoader weights) : base(weights.Path) => conv = Own(new Conv2d(weights.In("conv"), 3, stride: 2, padBefore: 0, padAfter: 1));

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        return scope.Keep(Trace.Record(Path, Trace.Record($"{Path}.conv", conv.Forward(x))));
    }
}

/// <summary>Doubles height and width by repeating pixels, then conv 3x3; the enlarged picture is never stored.</summary>
internal sealed class Upsample : Module, IPictureStep
{
    private readonly Conv2d conv;

    public Upsample(WeightLoader weights) : base(weights.Path) => conv = Own(new Conv2d(weights.In("conv"), 3, padBefore: 1, upsample: 2));

    /// <inheritdoc/>
    public Tensor Forward(Tensor x)
    {
        using var span = Entered(x);
        using var scope = new TensorScope();
        return scope.Keep(Trace.Record(Path, Trace.Record($"{Path}.conv", conv.Forward(x))));
    }
}
