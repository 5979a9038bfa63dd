namespace ClipGen.Tensors;

/// <summary>Layer normalisation.</summary>
public static class LayerNormOp
{
    /// <summary><c>(x − mean) / sqrt(var + eps) · gamma + beta</c> over the last axis; gamma and beta [C].</summary>
    public static Tensor LayerNorm(this Tensor x, Tensor gamma, Tensor beta, float eps = 1e-5f)
    {
        ShapeException.Require(x.Shape.Rank >= 1 && gamma.Shape == new Shape(x.Shape[^1]) && beta.Shape == gamma.Shape, "LayerNorm", $"input {x.Shape}, gamma {gamma.Shape}, beta {beta.Shape}: gamma and beta must have the size of the last axis");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.LayerNorm(x.Floats, gamma.Floats, beta.Floats, x.Shape.Rows, x.Shape[^1], eps, output.Floats);
        return output;
    }
}
