namespace ClipGen.Tensors;

/// <summary>Nearest code.</summary>
public static class VectorQuantizeOp
{
    /// <summary>Index of the nearest row of the codebook [K, C] for each row of x [..., C] -> int [...], to gradients a constant.</summary>
    public static Tensor NearestCode(this Tensor x, Tensor codebook)
    {
        ShapeException.Require(codebook.Shape.Rank == 2 && x.Shape.Rank >= 1 && x.Shape[^1] == codebook.Shape[1], "NearestCode", $"input {x.Shape} and codebook {codebook.Shape}");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]), DType.Int32);
        x.Device.Backend.NearestCode(x.Floats, codebook.Floats, x.Shape.Rows, codebook.Shape[0], codebook.Shape[1], output.Ints);
        return output;
    }
}
