namespace ClipGen.Tensors;

/// <summary>Pooling.</summary>
public static class PoolingOp
{
    /// <summary>Maximum of 2x2 blocks: [N, H, W, C] -> [N, H/2, W/2, C].</summary>
    public static Tensor MaxPool2x2(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 4, "MaxPool2x2", $"input {x.Shape} must be [N, H, W, C]");
        var output = x.Device.Empty(new Shape(x.Shape[0], x.Shape[1] / 2, x.Shape[2] / 2, x.Shape[3]));
        x.Device.Backend.MaxPool2x2(x.Floats, x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], output.Floats);
        return output;
    }
}
