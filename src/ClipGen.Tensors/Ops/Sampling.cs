using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Sampling from logits.</summary>
public static class SamplingOp
{
    /// <summary>Logits [N, V] after temperature, top-k and nucleus filter; removed entries are −∞. For inference: it lets no gradient through.</summary>
    /// <exception cref="InvalidOperationException">A gradient is being recorded.</exception>
    public static Tensor FilterLogits(this Tensor logits, SamplingFilter filter)
    {
        ShapeException.RequireRows(logits, "FilterLogits");
        if (Tape.Wants(logits)) throw new InvalidOperationException("FilterLogits: the filter has no gradient; use Tape.Pause() to sample inside a training step");
        var output = logits.Device.Empty(logits.Shape);
        logits.Device.Backend.FilterLogits(logits.Floats, logits.Shape.Rows, logits.Shape[^1], filter, output.Floats);
        return output;
    }

    /// <summary>One index per row of logits [N, V], drawn with uniforms [N] -> int [N], to gradients a constant.</summary>
    public static Tensor Sample(this Tensor logits, SamplingFilter filter, Tensor uniforms)
    {
        ShapeException.RequireRows(logits, "Sample");
        ShapeException.Require(uniforms.Count == logits.Shape.Rows, "Sample", $"{uniforms.Shape} uniform numbers for logits {logits.Shape}");
        var output = logits.Device.Empty(new Shape(logits.Shape.Rows), DType.Int32);
        logits.Device.Backend.Sample(logits.Floats, logits.Shape.Rows, logits.Shape[^1], filter, uniforms.Floats, output.Ints);
        return output;
    }
}
