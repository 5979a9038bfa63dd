using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Matrix products.</summary>
public static class MatMulOp
{
    /// <summary><c>y = activation(x · Wᵀ + bias) + residual</c>: x [..., K], W [N, K] packed, y [..., N].</summary>
    public static Tensor MatMul(this Tensor x, PackedMatrix weight, Tensor? bias = null, Activation activation = Activation.None, Tensor? residual = null)
    {
        ShapeException.Require(x.Shape.Rank >= 1 && x.Shape[^1] == weight.K, "MatMul", $"input {x.Shape} needs a last axis of {weight.K}, the weight's input size");
        var shape = x.Shape.WithLast(weight.N);
        var epilogue = Epilogue(bias, weight.N, activation, residual, shape, "MatMul");
        var output = x.Device.Empty(shape);
        x.Device.Backend.MatMul(x.Floats, x.Shape.Rows, weight, epilogue, output.Floats);
        return output;
    }

    /// <summary><c>y = x · bᵀ</c>: x [..., K], b [N, K], y [..., N].</summary>
    public static Tensor MatMulTransposed(this Tensor x, Tensor b)
    {
        ShapeException.Require(b.Shape.Rank == 2 && x.Shape.Rank >= 1 && x.Shape[^1] == b.Shape[1], "MatMulTransposed", $"{x.Shape} times the transpose of {b.Shape}: the last axes differ");
        var output = x.Device.Empty(x.Shape.WithLast(b.Shape[0]));
        x.Device.Backend.MatMul(x.Floats, b.Floats, x.Shape.Rows, b.Shape[0], b.Shape[1], default, output.Floats);
        return output;
    }

    internal static Epilogue Epilogue(Tensor? bias, int columns, Activation activation, Tensor? residual, Shape output, string op)
    {
        ShapeException.Require(bias is null || (bias.Shape.Rank == 1 && bias.Shape[0] == columns), op, $"bias {bias?.Shape} for {columns} outputs");
        ShapeException.Require(residual is null || residual.Shape.Count == output.Count, op, $"residual {residual?.Shape} for output {output}");
        return new Epilogue { Bias = bias?.Floats ?? default, Activation = activation, Residual = residual?.Floats ?? default };
    }
}
