using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Batch normalisation.</summary>
public static class BatchNormOp
{
    /// <summary>Normalises with stored statistics, then gamma, beta and an activation; x [..., C], everything else [C].</summary>
    public static Tensor BatchNormInference(this Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor variance, float eps = 1e-5f, Activation activation = Activation.None)
    {
        ShapeException.RequireRows(x, "BatchNorm");
        var expected = new Shape(x.Shape[^1]);
        ShapeException.Require(gamma.Shape == expected && beta.Shape == expected && mean.Shape == expected && variance.Shape == expected, "BatchNorm", $"input {x.Shape} needs gamma, beta, mean and variance of shape {expected}, found {gamma.Shape}, {beta.Shape}, {mean.Shape}, {variance.Shape}");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.BatchNormInference(x.Floats, gamma.Floats, beta.Floats, mean.Floats, variance.Floats, x.Shape.Rows, x.Shape[^1], eps, activation, output.Floats);
        return output;
    }
}
