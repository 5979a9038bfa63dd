using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Matrix products.</summary>
public static class MatMulOp
{
    /// <summary><c>y = activation(x · Wᵀ + bias) + residual</c>: x [..., K], W [N, K] packed, y [..., N]. For inference: a packed weight has no gradient and lets none through.</summary>
    /// <exception cref="InvalidOperationException">A gradient of x, the bias or the residual is being recorded.</exception>
    public static Tensor MatMul(this Tensor x, PackedMatrix weight, Tensor? bias = null, Activation activation = Activation.None, Tensor? residual = null)
    {
        RefuseGradient(x, bias, residual, "MatMul");
        ShapeException.Require(x.Shape.Rank >= 1 && x.Shape[^1] == weight.K, "MatMul", $"input {x.Shape} needs a last axis of {weight.K}, the weight's input size");
        var shape = x.Shape.WithLast(weight.N);
        var epilogue = Epilogue(bias, weight.N, activation, residual, shape, "MatMul");
        var output = x.Device.Empty(shape);
        x.Device.Backend.MatMul(x.Floats, x.Shape.Rows, weight, epilogue, output.Floats);
        return output;
    }

    /// <summary><c>y = activation(x · Wᵀ + bias) + residual</c>: x [..., K], W [N, K], y [..., N].</summary>
    /// <remarks>Gradients: <c>dx = dy · W</c>, <c>dW = dyᵀ · x</c>, <c>dbias = Σ_rows dy</c>.</remarks>
    public static Tensor MatMulTransposed(this Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None, Tensor? residual = null)
    {
        ShapeException.Require(weight.Shape.Rank == 2 && x.Shape.Rank >= 1 && x.Shape[^1] == weight.Shape[1], "MatMulTransposed", $"{x.Shape} times the transpose of {weight.Shape}: the last axes differ");
        var recorded = Tape.Wants(x, weight, bias, residual);
        // The gradient of an activation needs what stands in front of it.
        if (recorded && activation != Activation.None)
        {
            var activated = x.MatMulTransposed(weight, bias).Activate(activation);
            return residual is null ? activated : activated.Add(residual);
        }
        int m = x.Shape.Rows, n = weight.Shape[0], k = weight.Shape[1];
        var shape = x.Shape.WithLast(n);
        var epilogue = Epilogue(bias, n, activation, residual, shape, "MatMulTransposed");
        var output = x.Device.Empty(shape);
        x.Device.Backend.MatMulPlain(new MatMulShape(m, n, k), x.Floats, weight.Floats, epilogue, output.Floats);
        if (recorded)
            Tape.Record("MatMulTransposed", output, [x, weight, bias, residual], [x, weight], (dy, saved, gradients) =>
            {
                var backend = dy.Device.Backend;
                if (gradients.Needs(0))
                {
                    var dx = gradients.Empty(0);
                    backend.MatMulPlain(new MatMulShape(m, k, n, TransposeB: true), dy.Floats, saved[1].Floats, default, dx.Floats);
                    gradients.Add(0, dx);
                }
                if (gradients.Needs(1))
                {
                    var dw = gradients.Empty(1);
                    backend.MatMulPlain(new MatMulShape(n, k, m, TransposeA: true, TransposeB: true), dy.Floats, saved[0].Floats, default, dw.Floats);
                    gradients.Add(1, dw);
                }
                BiasGradient(gradients, 2, dy, m, n);
                gradients.Pass(3, dy);
            });
        return output;
    }

    /// <summary><c>y = x · b</c>: x [..., K], b [K, N], y [..., N].</summary>
    /// <remarks>Gradients: <c>dx = dy · bᵀ</c>, <c>db = xᵀ · dy</c>.</remarks>
    public static Tensor MatMul(this Tensor x, Tensor b)
    {
        ShapeException.Require(b.Shape.Rank == 2 && x.Shape.Rank >= 1 && x.Shape[^1] == b.Shape[0], "MatMul", $"{x.Shape} times {b.Shape}: the last axis differs from the first");
        int m = x.Shape.Rows, n = b.Shape[1], k = b.Shape[0];
        var output = x.Device.Empty(x.Shape.WithLast(n));
        x.Device.Backend.MatMulPlain(new MatMulShape(m, n, k, TransposeB: true), x.Floats, b.Floats, default, output.Floats);
        if (Tape.Wants(x, b))
            Tape.Record("MatMul", output, [x, b], [x, b], (dy, saved, gradients) =>
            {
                var backend = dy.Device.Backend;
                if (gradients.Needs(0))
                {
                    var dx = gradients.Empty(0);
                    backend.MatMulPlain(new MatMulShape(m, k, n), dy.Floats, saved[1].Floats, default, dx.Floats);
                    gradients.Add(0, dx);
                }
                if (gradients.Needs(1))
                {
                    var db = gradients.Empty(1);
                    backend.MatMulPlain(new MatMulShape(k, n, m, TransposeA: true, TransposeB: true), saved[0].Floats, dy.Floats, default, db.Floats);
                    gradients.Add(1, db);
                }
            });
        return output;
    }

    internal static void RefuseGradient(Tensor x, Tensor? bias, Tensor? residual, string op)
    {
        if (Tape.Wants(x, bias, residual))
            throw new InvalidOperationException($"{op}: the weight was packed for inference and lets no gradient through; load the model with {nameof(Nn.WeightForm)}.{nameof(Nn.WeightForm.Plain)} or {nameof(Nn.WeightForm.Trainable)}");
    }

    internal static void BiasGradient(GradientSink gradients, int index, Tensor dy, int rows, int columns)
    {
        if (!gradients.Needs(index)) return;
        var sum = gradients.Empty(index);
        dy.Device.Backend.SumColumns(dy.Floats, rows, columns, sum.Floats);
        gradients.Add(index, sum);
    }

    internal static Epilogue Epilogue(Tensor? bias, int columns, Activation activation, Tensor? residual, Shape output, string op)
    {
        ShapeException.Require(bias is null || (bias.Shape.Rank == 1 && bias.Shape[0] == columns), op, $"bias {bias?.Shape} for {columns} outputs");
        ShapeException.Require(residual is null || residual.Shape.Count == output.Count, op, $"residual {residual?.Shape} for output {output}");
        return new Epilogue { Bias = bias?.Floats ?? default, Activation = activation, Residual = residual?.Floats ?? default };
    }
}
