using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Batch normalisation.</summary>
public static class BatchNormOp
{
    /// <summary>Normalises with stored statistics, then gamma, beta and an activation; x [..., C], everything else [C]. For evaluation: it lets no gradient through.</summary>
    /// <exception cref="InvalidOperationException">A gradient is being recorded.</exception>
    public static Tensor BatchNormInference(this Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor variance, float eps = 1e-5f, Activation activation = Activation.None)
    {
        Require(x, gamma, beta);
        var expected = gamma.Shape;
        ShapeException.Require(mean.Shape == expected && variance.Shape == expected, "BatchNorm", $"input {x.Shape} needs mean and variance of shape {expected}, found {mean.Shape}, {variance.Shape}");
        if (Tape.Wants(x, gamma, beta)) throw new InvalidOperationException("BatchNorm: the form with stored statistics has no gradient here; use the training form");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.BatchNormInference(x.Floats, gamma.Floats, beta.Floats, mean.Floats, variance.Floats, x.Shape.Rows, x.Shape[^1], eps, activation, output.Floats);
        return output;
    }

    /// <summary>Normalises with the mean and biased variance of this batch, which it hands out; then gamma, beta and an activation.</summary>
    /// <remarks>Gradients: <see cref="IBatchNorm.BatchNormBackward"/>. The statistics themselves are constants to it, as in PyTorch.</remarks>
    public static Tensor BatchNormTraining(this Tensor x, Tensor gamma, Tensor beta, out Tensor mean, out Tensor variance, float eps = 1e-5f, Activation activation = Activation.None)
    {
        Require(x, gamma, beta);
        int rows = x.Shape.Rows, channels = x.Shape[^1];
        ShapeException.Require(rows > 0, "BatchNorm", $"input {x.Shape} has no rows to take statistics of");
        var output = x.Device.Empty(x.Shape);
        mean = x.Device.Empty(gamma.Shape);
        variance = x.Device.Empty(gamma.Shape);
        x.Device.Backend.BatchNormTraining(x.Floats, gamma.Floats, beta.Floats, rows, channels, eps, activation, mean.Floats, variance.Floats, output.Floats);
        if (Tape.Wants(x, gamma, beta))
            Tape.Record("BatchNorm", output, [x, gamma, beta], [x, gamma, beta, mean, variance], (dy, saved, gradients) =>
            {
                Tensor dx = dy.Device.Empty(dy.Shape), dgamma = dy.Device.Empty(saved[1].Shape), dbeta = dy.Device.Empty(saved[1].Shape);
                dy.Device.Backend.BatchNormBackward(saved[0].Floats, saved[1].Floats, saved[2].Floats, saved[3].Floats, saved[4].Floats, dy.Floats, rows, channels, eps, activation, dx.Floats, dgamma.Floats, dbeta.Floats);
                gradients.Add(0, dx);
                gradients.Add(1, dgamma);
                gradients.Add(2, dbeta);
            });
        return output;
    }

    private static void Require(Tensor x, Tensor gamma, Tensor beta)
    {
        ShapeException.RequireRows(x, "BatchNorm");
        var expected = new Shape(x.Shape[^1]);
        ShapeException.Require(gamma.Shape == expected && beta.Shape == expected, "BatchNorm", $"input {x.Shape} needs gamma and beta of shape {expected}, found {gamma.Shape}, {beta.Shape}");
    }
}
