namespace ClipGen.Tensors;

/// <summary>Reductions and row-wise functions.</summary>
public static class ReduceOp
{
    /// <summary>Mean over the last axis: [..., C] -> [...].</summary>
    public static Tensor MeanRows(this Tensor x)
    {
        ShapeException.RequireRows(x, "MeanRows");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]));
        x.Device.Backend.MeanRows(x.Floats, x.Shape.Rows, x.Shape[^1], output.Floats);
        return output;
    }

    /// <summary>Sum over the last axis: [..., C] -> [...].</summary>
    public static Tensor SumRows(this Tensor x)
    {
        ShapeException.RequireRows(x, "SumRows");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]));
        x.Device.Backend.SumRows(x.Floats, x.Shape.Rows, x.Shape[^1], output.Floats);
        return output;
    }

    /// <summary>Index of the largest entry along the last axis, the first of equals: [..., C] -> int [...].</summary>
    public static Tensor ArgMaxRows(this Tensor x)
    {
        ShapeException.RequireRows(x, "ArgMaxRows");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]), DType.Int32);
        x.Device.Backend.ArgMaxRows(x.Floats, x.Shape.Rows, x.Shape[^1], output.Ints);
        return output;
    }

    /// <summary>Softmax over the last axis.</summary>
    public static Tensor Softmax(this Tensor x)
    {
        ShapeException.RequireRows(x, "Softmax");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.Softmax(x.Floats, x.Shape.Rows, x.Shape[^1], output.Floats);
        return output;
    }

    /// <summary><c>x / max(‖x‖₂, eps)</c> over the last axis.</summary>
    public static Tensor L2Normalize(this Tensor x, float eps = 1e-12f)
    {
        ShapeException.RequireRows(x, "L2Normalize");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.L2Normalize(x.Floats, x.Shape.Rows, x.Shape[^1], eps, output.Floats);
        return output;
    }
}
