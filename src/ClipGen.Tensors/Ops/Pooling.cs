namespace ClipGen.Tensors;

/// <summary>Pooling.</summary>
public static class PoolingOp
{
    /// <summary>Maximum of 2x2 blocks: [N, H, W, C] -> [N, H/2, W/2, C]. Gradient: to the largest of the four, the first of equals.</summary>
    public static Tensor MaxPool2x2(this Tensor x)
    {
        ShapeException.Require(x.Shape.Rank == 4, "MaxPool2x2", $"input {x.Shape} must be [N, H, W, C]");
        int batch = x.Shape[0], height = x.Shape[1], width = x.Shape[2], channels = x.Shape[3];
        var output = x.Device.Empty(new Shape(batch, height / 2, width / 2, channels));
        x.Device.Backend.MaxPool2x2(x.Floats, batch, height, width, channels, output.Floats);
        if (Tape.Wants(x))
            Tape.Record("MaxPool2x2", output, [x], [x], (dy, saved, gradients) =>
            {
                var dx = gradients.Empty(0);
                dy.Device.Backend.MaxPool2x2Backward(saved[0].Floats, dy.Floats, batch, height, width, channels, dx.Floats);
                gradients.Add(0, dx);
            });
        return output;
    }
}
