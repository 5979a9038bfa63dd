using ClipGen.Kernels;

namespace ClipGen.Tensors.Nn;

/// <summary>Convolution layer with square filters, channels last. Weights <c>weight</c> [O, I, k, k] and, if present, <c>bias</c> [O].</summary>
public sealed class Conv2d : Module
{
    private readonly Weight filter;
    private readonly Tensor? bias;
    private readonly int kernel, stride, padBefore, padAfter, upsample;

    /// <summary>Loads the layer; sizes of channels come from the weight's shape.</summary>
    public Conv2d(WeightLoader weights, int kernel, int stride = 1, int padBefore = 0, int? padAfter = null, bool hasBias = true, int upsample = 1)
        : base(weights.Path)
    {
        var shape = weights.ShapeOf("weight", 4);
        (this.kernel, this.stride, this.padBefore, this.padAfter, this.upsample) = (kernel, stride, padBefore, padAfter ?? padBefore, upsample);
        InChannels = shape[1];
        OutChannels = shape[0];
        filter = Own(weights.Filter("weight", OutChannels, InChannels, kernel));
        if (hasBias) bias = Own(weights.Tensor("bias", OutChannels));
    }

    /// <summary>Channels of the input.</summary>
    public int InChannels { get; }

    /// <summary>Channels of the output.</summary>
    public int OutChannels { get; }

    /// <summary>The filters as a tensor [O, kernel·kernel·I], for gradients with respect to them.</summary>
    /// <exception cref="InvalidOperationException">They are packed.</exception>
    public Tensor Filters => filter.Plain;

    /// <summary><c>activation(conv(x) + b) + residual</c>.</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None, Tensor? residual = null)
    {
        using var span = Entered(x);
        return Trace.Output(Path, filter.Convolve(x, kernel, bias, stride, padBefore, padAfter, activation, residual, upsample));
    }
}
