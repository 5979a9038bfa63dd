namespace ClipGen.Tensors;

/// <summary>Layer normalisation.</summary>
public static class LayerNormOp
{
    /// <summary><c>(x − mean) / sqrt(var + eps) · gamma + beta</c> over the last axis; gamma and beta [C].</summary>
    /// <remarks>Gradients: with x̂ the normalised input and g = dy · gamma, <c>dx = (g − mean(g) − x̂ · mean(g · x̂)) / sqrt(var + eps)</c>, <c>dgamma = Σ dy · x̂</c>, <c>dbeta = Σ dy</c>.</remarks>
    public static Tensor LayerNorm(this Tensor x, Tensor gamma, Tensor beta, float eps = 1e-5f)
    {
        ShapeException.Require(x.Shape.Rank >= 1 && gamma.Shape == new Shape(x.Shape[^1]) && beta.Shape == gamma.Shape, "LayerNorm", $"input {x.Shape}, gamma {gamma.Shape}, beta {beta.Shape}: gamma and beta must have the size of the last axis");
        int rows = x.Shape.Rows, channels = x.Shape[^1];
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.LayerNorm(x.Floats, gamma.Floats, beta.Floats, rows, channels, eps, output.Floats);
        if (Tape.Wants(x, gamma, beta))
            Tape.Record("LayerNorm", output, [x, gamma, beta], [x, gamma], (dy, saved, gradients) =>
            {
                // One kernel makes all three, whoever asks.
                Tensor dx = dy.Device.Empty(dy.Shape), dgamma = dy.Device.Empty(saved[1].Shape), dbeta = dy.Device.Empty(saved[1].Shape);
                dy.Device.Backend.LayerNormBackward(saved[0].Floats, saved[1].Floats, dy.Floats, rows, channels, eps, dx.Floats, dgamma.Floats, dbeta.Floats);
                gradients.Add(0, dx);
                gradients.Add(1, dgamma);
                gradients.Add(2, dbeta);
            });
        return output;
    }
}
