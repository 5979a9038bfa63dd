using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Reductions and row-wise functions.</summary>
public static class ReduceOp
{
    /// <summary>Mean over the last axis: [..., C] -> [...]. Gradient: dy / C everywhere.</summary>
    public static Tensor MeanRows(this Tensor x)
    {
        ShapeException.RequireRows(x, "MeanRows");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]));
        x.Device.Backend.MeanRows(x.Floats, x.Shape.Rows, x.Shape[^1], output.Floats);
        if (Tape.Wants(x)) RecordSpread("MeanRows", output, x, 1f / x.Shape[^1]);
        return output;
    }

    /// <summary>Sum over the last axis: [..., C] -> [...]. Gradient: dy everywhere.</summary>
    public static Tensor SumRows(this Tensor x)
    {
        ShapeException.RequireRows(x, "SumRows");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]));
        x.Device.Backend.SumRows(x.Floats, x.Shape.Rows, x.Shape[^1], output.Floats);
        if (Tape.Wants(x)) RecordSpread("SumRows", output, x, 1);
        return output;
    }

    /// <summary>Mean of everything -> one number.</summary>
    public static Tensor Mean(this Tensor x) => x.Reshape(checked((int)x.Count)).MeanRows();

    /// <summary>Index of the largest entry along the last axis, the first of equals: [..., C] -> int [...], to gradients a constant.</summary>
    public static Tensor ArgMaxRows(this Tensor x)
    {
        ShapeException.RequireRows(x, "ArgMaxRows");
        var output = x.Device.Empty(new Shape(x.Shape.Axes[..^1]), DType.Int32);
        x.Device.Backend.ArgMaxRows(x.Floats, x.Shape.Rows, x.Shape[^1], output.Ints);
        return output;
    }

    /// <summary>Softmax over the last axis. Gradient from the output y: <c>y · (dy − Σ dy · y)</c>.</summary>
    public static Tensor Softmax(this Tensor x)
    {
        ShapeException.RequireRows(x, "Softmax");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.Softmax(x.Floats, x.Shape.Rows, x.Shape[^1], output.Floats);
        if (Tape.Wants(x))
            Tape.Record("Softmax", output, [x], [output], static (dy, saved, gradients) =>
            {
                var dx = gradients.Empty(0);
                dy.Device.Backend.SoftmaxBackward(saved[0].Floats, dy.Floats, dy.Shape.Rows, dy.Shape[^1], dx.Floats);
                gradients.Add(0, dx);
            });
        return output;
    }

    /// <summary><c>x / max(‖x‖₂, eps)</c> over the last axis. Gradient: <c>(dy − y · Σ dy · y) / ‖x‖</c>.</summary>
    public static Tensor L2Normalize(this Tensor x, float eps = 1e-12f)
    {
        ShapeException.RequireRows(x, "L2Normalize");
        var output = x.Device.Empty(x.Shape);
        x.Device.Backend.L2Normalize(x.Floats, x.Shape.Rows, x.Shape[^1], eps, output.Floats);
        if (Tape.Wants(x))
            Tape.Record("L2Normalize", output, [x], [x], (dy, saved, gradients) =>
            {
                var dx = gradients.Empty(0);
                dy.Device.Backend.L2NormalizeBackward(saved[0].Floats, dy.Floats, dy.Shape.Rows, dy.Shape[^1], eps, dx.Floats);
                gradients.Add(0, dx);
            });
        return output;
    }

    private static void RecordSpread(string op, Tensor output, Tensor x, float factor)
    {
        int rows = x.Shape.Rows, columns = x.Shape[^1];
        Tape.Record(op, output, [x], [], (dy, _, gradients) =>
        {
            var dx = gradients.Empty(0);
            dx.Device.Backend.Fill(factor, dx.Floats);
            dx.Device.Backend.ScaleRows(dx.Floats, dy.Floats, rows, columns, dx.Floats);
            gradients.Add(0, dx);
        });
    }
}
