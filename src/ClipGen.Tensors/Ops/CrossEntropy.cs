namespace ClipGen.Tensors;

/// <summary>Cross-entropy.</summary>
public static class CrossEntropyOp
{
    /// <summary>Negative log-likelihood of each row's target under softmax: logits [..., V] and int targets [...] -> [...]. Gradient: <c>dy · (softmax(x) − onehot)</c>.</summary>
    public static Tensor CrossEntropy(this Tensor logits, Tensor targets)
    {
        ShapeException.RequireRows(logits, "CrossEntropy");
        ShapeException.Require(targets.Count == logits.Shape.Rows && logits.Shape[^1] > 0, "CrossEntropy", $"targets {targets.Shape} for logits {logits.Shape}");
        int rows = logits.Shape.Rows, classes = logits.Shape[^1];
        var losses = logits.Device.Empty(new Shape(logits.Shape.Axes[..^1]));
        var normalizer = logits.Device.Empty(losses.Shape);
        logits.Device.Backend.CrossEntropy(logits.Floats, targets.Ints, rows, classes, losses.Floats, normalizer.Floats);
        if (Tape.Wants(logits))
            Tape.Record("CrossEntropy", losses, [logits], [logits, targets, normalizer], (dy, saved, gradients) =>
            {
                var dx = gradients.Empty(0);
                dy.Device.Backend.CrossEntropyBackward(saved[0].Floats, saved[1].Ints, saved[2].Floats, dy.Floats, rows, classes, dx.Floats);
                gradients.Add(0, dx);
            });
        normalizer.Dispose();
        return losses;
    }
}
