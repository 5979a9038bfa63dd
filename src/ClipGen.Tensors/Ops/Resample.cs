namespace ClipGen.Tensors;

/// <summary>Resizing.</summary>
public static class ResampleOp
{
    /// <summary>Every pixel becomes a 2x2 block: [N, H, W, C] -> [N, 2H, 2W, C].</summary>
    public static Tensor UpsampleNearest2x(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 4, "UpsampleNearest2x", $"input {x.Shape} must be [N, H, W, C]");
        var output = x.Device.Empty(new Shape(x.Shape[0], 2 * x.Shape[1], 2 * x.Shape[2], x.Shape[3]));
        x.Device.Backend.UpsampleNearest2x(x.Floats, x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], output.Floats);
        return output;
    }

    /// <summary>Bilinear resize, corners not aligned: [N, H, W, C] -> [N, height, width, C].</summary>
    public static Tensor ResizeBilinear(this Tensor x, int height, int width, bool antialias)
    {
        ShapeException.Require(x.Shape.Rank == 4 && height > 0 && width > 0, "ResizeBilinear", $"input {x.Shape} to {height}x{width}");
        var output = x.Device.Empty(new Shape(x.Shape[0], height, width, x.Shape[3]));
        x.Device.Backend.ResizeBilinear(x.Floats, x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], height, width, antialias, output.Floats);
        return output;
    }
}
