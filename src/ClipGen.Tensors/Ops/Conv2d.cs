using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Convolution.</summary>
public static class Conv2dOp
{
    /// <summary>
    /// Cross-correlation of x [N, H, W, C] with square filters: <c>activation(conv + bias) + residual</c>, [N, H', W', O].
    /// With <paramref name="upsample"/> = 2 the picture is first enlarged by repeating pixels. For inference: a packed filter lets no gradient through.
    /// </summary>
    /// <exception cref="InvalidOperationException">A gradient of x, the bias or the residual is being recorded.</exception>
    public static Tensor Conv2d(this Tensor x, PackedMatrix filter, int kernel, Tensor? bias = null, int stride = 1, int padBefore = 0, int padAfter = 0,
        Activation activation = Activation.None, Tensor? residual = null, int upsample = 1)
    {
        MatMulOp.RefuseGradient(x, bias, residual, "Conv2d");
        var shape = Sizes(x, filter.N, filter.K, kernel, stride, padBefore, padAfter, upsample);
        var outShape = new Shape(shape.Batch, shape.OutHeight, shape.OutWidth, shape.OutChannels);
        var epilogue = MatMulOp.Epilogue(bias, filter.N, activation, residual, outShape, "Conv2d");
        var output = x.Device.Empty(outShape);
        x.Device.Backend.Conv2d(x.Floats, shape, filter, epilogue, output.Floats);
        return output;
    }

    /// <summary>The same with filters [O, kernel·kernel·C] that are not packed.</summary>
    /// <remarks>Gradients: <see cref="IConv2d.Conv2dBackwardInput"/>, <see cref="IConv2d.Conv2dBackwardFilter"/>, and the sum over pixels for the bias.</remarks>
    public static Tensor Conv2d(this Tensor x, Tensor filter, int kernel, Tensor? bias = null, int stride = 1, int padBefore = 0, int padAfter = 0,
        Activation activation = Activation.None, Tensor? residual = null, int upsample = 1)
    {
        ShapeException.Require(filter.Shape.Rank == 2, "Conv2d", $"filter {filter.Shape} must be [O, kernel·kernel·C]");
        var recorded = Tape.Wants(x, filter, bias, residual);
        if (recorded && activation != Activation.None)
        {
            var activated = x.Conv2d(filter, kernel, bias, stride, padBefore, padAfter, upsample: upsample).Activate(activation);
            return residual is null ? activated : activated.Add(residual);
        }
        var shape = Sizes(x, filter.Shape[0], filter.Shape[1], kernel, stride, padBefore, padAfter, upsample);
        var outShape = new Shape(shape.Batch, shape.OutHeight, shape.OutWidth, shape.OutChannels);
        var epilogue = MatMulOp.Epilogue(bias, shape.OutChannels, activation, residual, outShape, "Conv2d");
        var output = x.Device.Empty(outShape);
        x.Device.Backend.Conv2dPlain(x.Floats, shape, filter.Floats, epilogue, output.Floats);
        if (recorded)
            Tape.Record("Conv2d", output, [x, filter, bias, residual], [x, filter], (dy, saved, gradients) =>
            {
                var backend = dy.Device.Backend;
                if (gradients.Needs(0))
                {
                    var dx = gradients.Empty(0);
                    backend.Conv2dBackwardInput(dy.Floats, shape, saved[1].Floats, dx.Floats);
                    gradients.Add(0, dx);
                }
                if (gradients.Needs(1))
                {
                    var dw = gradients.Empty(1);
                    backend.Conv2dBackwardFilter(saved[0].Floats, shape, dy.Floats, dw.Floats);
                    gradients.Add(1, dw);
                }
                MatMulOp.BiasGradient(gradients, 2, dy, dy.Shape.Rows, shape.OutChannels);
                gradients.Pass(3, dy);
            });
        return output;
    }

    private static Conv2dShape Sizes(Tensor x, int outChannels, int filterLength, int kernel, int stride, int padBefore, int padAfter, int upsample)
    {
        ShapeException.Require(x.Shape.Rank == 4, "Conv2d", $"input {x.Shape} must be [N, H, W, C]");
        ShapeException.Require(kernel > 0 && stride > 0 && padBefore >= 0 && padAfter >= 0 && upsample is 1 or 2, "Conv2d", $"kernel {kernel}, stride {stride}, padding {padBefore}/{padAfter}, upsample {upsample}: illegal");
        ShapeException.Require(filterLength == kernel * kernel * x.Shape[3], "Conv2d", $"input {x.Shape} has {x.Shape[3]} channels, the {kernel}x{kernel} filter expects {filterLength / (kernel * kernel)}");
        ShapeException.Require(x.Shape[1] * upsample + padBefore + padAfter >= kernel && x.Shape[2] * upsample + padBefore + padAfter >= kernel, "Conv2d", $"input {x.Shape} is smaller than the {kernel}x{kernel} filter");
        return new Conv2dShape
        {
            Batch = x.Shape[0],
            Height = x.Shape[1],
            Width = x.Shape[2],
            InChannels = x.Shape[3],
            OutChannels = outChannels,
            Kernel = kernel,
            Stride = stride,
            PadBefore = padBefore,
            PadAfter = padAfter,
            Upsample = upsample,
        };
    }
}
