using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>Picture [N, H, W, 3] -> latent [N, H/f, W/f, Z].</summary>
internal sealed class Encoder : Module
{
    private readonly Conv2d convIn, convOut, quantConv;
    private readonly PictureSteps down, mid;
    private readonly GroupNorm norm;

    public Encoder(WeightLoader weights) : base(weights.Path)
    {
        convIn = Own(new Conv2d(weights.In("conv_in"), 3, padBefore: 1));
        down = Own(new PictureSteps(weights, "down", step => new Downsample(step)));
        mid = Own(new PictureSteps(weights, "mid", step => new Downsample(step)));
        var final = weights.In("final");
        norm = Own(new GroupNorm(final.In("0")));
        convOut = Own(new Conv2d(final.In("2"), 3, padBefore: 1));
        quantConv = Own(new Conv2d(final.In("3"), 1));
        Factor = 1 << down.Resamplings;
    }

    /// <summary>Pixels per latent position along one side.</summary>
    public int Factor { get; }

    public Tensor Forward(Tensor pictures)
    {
        using var span = Entered(pictures);
        using var scope = new TensorScope();
        var x = Trace.Record($"{Path}.conv_in", convIn.Forward(pictures));
        x = x.Into(down.Forward);
        x = x.Into(mid.Forward);
        x = x.Into(y => FinalNorm.Forward(norm, y, Path));
        x = x.Into(y => Trace.Record($"{Path}.final.2", convOut.Forward(y)));
        x = Trace.Record($"{Path}.final.3", quantConv.Forward(x));
        return scope.Keep(Trace.Record(Path, x));
    }
}

/// <summary>The norm and SiLU in front of the last convolutions; recorded one by one when activations are traced.</summary>
internal static class FinalNorm
{
    public static Tensor Forward(GroupNorm norm, Tensor x, string path)
    {
        if (!Trace.IsOn) return norm.Forward(x, Activation.Silu);
        using var scope = new TensorScope();
        var normed = Trace.Record($"{path}.final.0", norm.Forward(x));
        return scope.Keep(Trace.Record($"{path}.final.1", normed.Activate(Activation.Silu)));
    }
}
