using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>Latent [N, h, w, Z] -> picture [N, f·h, f·w, 3]; no function behind the last convolution.</summary>
internal sealed class Decoder : Module
{
    private readonly Conv2d quantConv, convIn, convOut;
    private readonly PictureSteps mid, up;
    private readonly GroupNorm norm;

    public Decoder(WeightLoader weights) : base(weights.Path)
    {
        quantConv = Own(new Conv2d(weights.In("quant_conv_in"), 1));
        convIn = Own(new Conv2d(weights.In("conv_in"), 3, padBefore: 1));
        mid = Own(new PictureSteps(weights, "mid", step => new Upsample(step)));
        up = Own(new PictureSteps(weights, "up", step => new Upsample(step)));
        var final = weights.In("final");
        norm = Own(new GroupNorm(final.In("0")));
        convOut = Own(new Conv2d(final.In("2"), 3, padBefore: 1));
    }

    /// <summary>Filters of the last convolution.</summary>
    public Tensor LastLayer => convOut.Filters;

    public Tensor Forward(Tensor latents)
    {
        using var span = Entered(latents);
        using var scope = new TensorScope();
        var x = Trace.Record($"{Path}.quant_conv_in", quantConv.Forward(latents));
        x = x.Into(y => Trace.Record($"{Path}.conv_in", convIn.Forward(y)));
        x = x.Into(mid.Forward);
        x = x.Into(up.Forward);
        x = x.Into(y => FinalNorm.Forward(norm, y, Path));
        x = Trace.Record($"{Path}.final.2", convOut.Forward(x));
        return scope.Keep(Trace.Record(Path, x));
    }
}
