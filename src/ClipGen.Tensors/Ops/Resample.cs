namespace ClipGen.Tensors;

/// <summary>Resizing.</summary>
public static class ResampleOp
{
    /// <summary>Every pixel becomes a 2x2 block: [N, H, W, C] -> [N, 2H, 2W, C]. Gradient: the sum of the four.</summary>
    public static Tensor UpsampleNearest2x(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 4, "UpsampleNearest2x", $"input {x.Shape} must be [N, H, W, C]");
        int batch = x.Shape[0], height = x.Shape[1], width = x.Shape[2], channels = x.Shape[3];
        var output = x.Device.Empty(new Shape(batch, 2 * height, 2 * width, channels));
        x.Device.Backend.UpsampleNearest2x(x.Floats, batch, height, width, channels, output.Floats);
        if (Tape.Wants(x))
            Tape.Record("UpsampleNearest2x", output, [x], [], (dy, _, gradients) =>
            {
                var dx = gradients.Empty(0);
                dy.Device.Backend.UpsampleNearest2xBackward(dy.Floats, batch, height, width, channels, dx.Floats);
                gradients.Add(0, dx);
            });
        return output;
    }

    /// <summary>Bilinear resize, corners not aligned: [N, H, W, C] -> [N, height, width, C]. Gradient: the transposed map.</summary>
    public static Tensor ResizeBilinear(this Tensor x, int height, int width, bool antialias)
    {
        ShapeException.Require(x.Shape.Rank == 4 && height > 0 && width > 0, "ResizeBilinear", $"input {x.Shape} to {height}x{width}");
        int batch = x.Shape[0], fromHeight = x.Shape[1], fromWidth = x.Shape[2], channels = x.Shape[3];
        var output = x.Device.Empty(new Shape(batch, height, width, channels));
        x.Device.Backend.ResizeBilinear(x.Floats, batch, fromHeight, fromWidth, channels, height, width, antialias, output.Floats);
        if (Tape.Wants(x))
            Tape.Record("ResizeBilinear", output, [x], [], (dy, _, gradients) =>
            {
                var dx = gradients.Empty(0);
                dy.Device.Backend.ResizeBilinearBackward(dy.Floats, batch, fromHeight, fromWidth, channels, height, width, antialias, dx.Floats);
                gradients.Add(0, dx);
            });
        return output;
    }
}
