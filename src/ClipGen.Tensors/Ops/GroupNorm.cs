using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Group normalisation.</summary>
public static class GroupNormOp
{
    /// <summary>Normalises each picture's groups of neighbouring channels, then gamma, beta and an activation; x [N, ..., C].</summary>
    /// <remarks>Gradients: <see cref="IGroupNorm.GroupNormBackward"/>, which computes mean, variance and activation again from x.</remarks>
    public static Tensor GroupNorm(this Tensor x, Tensor gamma, Tensor beta, int groups = 32, float eps = 1e-5f, Activation activation = Activation.None)
    {
        var channels = x.Shape.Rank >= 2 && x.Shape[0] > 0 ? x.Shape[^1] : 0;
        ShapeException.Require(groups > 0 && channels > 0 && channels % groups == 0, "GroupNorm", $"input {x.Shape} must be [N, ..., C] with C a multiple of {groups} groups");
        ShapeException.Require(gamma.Shape == new Shape(channels) && beta.Shape == gamma.Shape, "GroupNorm", $"gamma {gamma.Shape} and beta {beta.Shape} for {channels} channels");
        int batch = x.Shape[0], spatial = x.Shape.Rows / x.Shape[0];
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.GroupNorm(x.Floats, gamma.Floats, beta.Floats, batch, spatial, channels, groups, eps, activation, output.Floats);
        if (Tape.Wants(x, gamma, beta))
            Tape.Record("GroupNorm", output, [x, gamma, beta], [x, gamma, beta], (dy, saved, gradients) =>
            {
                Tensor dx = dy.Device.Empty(dy.Shape), dgamma = dy.Device.Empty(saved[1].Shape), dbeta = dy.Device.Empty(saved[1].Shape);
                dy.Device.Backend.GroupNormBackward(saved[0].Floats, saved[1].Floats, saved[2].Floats, dy.Floats, batch, spatial, channels, groups, eps, activation, dx.Floats, dgamma.Floats, dbeta.Floats);
                gradients.Add(0, dx);
                gradients.Add(1, dgamma);
                gradients.Add(2, dbeta);
            });
        return output;
    }
}
