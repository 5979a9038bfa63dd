using ClipGen.Kernels;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.VqGan;

/// <summary>PatchGAN (Isola et al. 2017): picture -> one logit per patch.</summary>
/// <remarks>Convolutions 4x4 with padding 1, LeakyReLU 0.2; all step 2 but the last of <c>features</c> and the head.</remarks>
public sealed class Discriminator : Module
{
    private readonly List<(int Index, Conv2d Conv, BatchNorm2d? Norm)> layers = [];
    private readonly Conv2d head;

    internal Discriminator(WeightLoader weights) : base(weights.Path)
    {
        // features: conv, LeakyReLU, then (conv without bias, BatchNorm, LeakyReLU) for each further layer.
        var features = weights.In("features");
        List<int> convolutions = [0];
        for (var i = 2; features.Has($"{i}.weight"); i += 3) convolutions.Add(i);
        foreach (var i in convolutions)
        {
            var first = i == 0;
            var stride = first || i != convolutions[^1] ? 2 : 1;
            var conv = Own(new Conv2d(features.In($"{i}"), 4, stride, padBefore: 1, hasBias: first));
            layers.Add((i, conv, first ? null : Own(new BatchNorm2d(features.In($"{i + 1}")))));
        }
        head = Own(new Conv2d(weights.In("head"), 4, padBefore: 1));
    }

    /// <summary>Smallest side of a picture that leaves at least one patch: the last convolutions take two pixels more than they give, the others halve.</summary>
    public int SmallestSide => 3 << (layers.Count - 1);

    /// <summary>Pictures [N, H, W, 3] -> logits [N, h, w, 1], with the stored BatchNorm statistics (evaluation mode).</summary>
    public Tensor Forward(Tensor pictures)
    {
        using var span = Entered(pictures);
        using var scope = new TensorScope();
        var x = pictures;
        foreach (var (index, conv, norm) in layers)
        {
            if (Trace.IsOn) x = Traced(index, conv, norm, x);
            else x = norm is null ? conv.Forward(x, Activation.LeakyRelu) : norm.Forward(conv.Forward(x), Activation.LeakyRelu);
        }
        return scope.Keep(Trace.Record(Path, Trace.Record($"{Path}.head", head.Forward(x))));
    }

    /// <summary>The same in training mode: every BatchNorm uses the statistics of these pictures and moves its running ones.</summary>
    public Tensor ForwardTraining(Tensor pictures)
    {
        using var span = Entered(pictures);
        using var scope = new TensorScope();
        var x = pictures;
        foreach (var (_, conv, norm) in layers)
            x = norm is null ? conv.Forward(x, Activation.LeakyRelu) : norm.ForwardTraining(conv.Forward(x), Activation.LeakyRelu);
        return scope.Keep(head.Forward(x));
    }

    private Tensor Traced(int index, Conv2d conv, BatchNorm2d? norm, Tensor x)
    {
        x = Trace.Record(conv.Path, conv.Forward(x));
        if (norm is not null) x = Trace.Record(norm.Path, norm.Forward(x));
        return Trace.Record($"{Path}.features.{index + (norm is null ? 1 : 2)}", x.Activate(Activation.LeakyRelu));
    }
}
