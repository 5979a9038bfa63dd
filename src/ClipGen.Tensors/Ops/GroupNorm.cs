using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Group normalisation.</summary>
public static class GroupNormOp
{
    /// <summary>Normalises each picture's groups of neighbouring channels, then gamma, beta and an activation; x [N, ..., C].</summary>
    public static Tensor GroupNorm(this Tensor x, Tensor gamma, Tensor beta, int groups = 32, float eps = 1e-5f, Activation activation = Activation.None)
    {
        var channels = x.Shape.Rank >= 2 && x.Shape[0] > 0 ? x.Shape[^1] : 0;
        ShapeException.Require(groups > 0 && channels > 0 && channels % groups == 0, "GroupNorm", $"input {x.Shape} must be [N, ..., C] with C a multiple of {groups} groups");
        ShapeException.Require(gamma.Shape == new Shape(channels) && beta.Shape == gamma.Shape, "GroupNorm", $"gamma {gamma.Shape} and beta {beta.Shape} for {channels} channels");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.GroupNorm(x.Floats, gamma.Floats, beta.Floats, x.Shape[0], x.Shape.Rows / x.Shape[0], channels, groups, eps, activation, output.Floats);
        return output;
    }
}
