using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Convolution.</summary>
public static class Conv2dOp
{
    /// <summary>
    /// Cross-correlation of x [N, H, W, C] with square filters: <c>activation(conv + bias) + residual</c>, [N, H', W', O].
    /// With <paramref name="upsample"/> = 2 the picture is first enlarged by repeating pixels.
    /// </summary>
    public static Tensor Conv2d(this Tensor x, PackedMatrix filter, int kernel, Tensor? bias = null, int stride = 1, int padBefore = 0, int padAfter = 0,
        Activation activation = Activation.None, Tensor? residual = null, int upsample = 1)
    {
        ShapeException.Require(x.Shape.Rank == 4, "Conv2d", $"input {x.Shape} must be [N, H, W, C]");
        ShapeException.Require(kernel > 0 && stride > 0 && padBefore >= 0 && padAfter >= 0 && upsample is 1 or 2, "Conv2d", $"kernel {kernel}, stride {stride}, padding {padBefore}/{padAfter}, upsample {upsample}: illegal");
        ShapeException.Require(filter.K == kernel * kernel * x.Shape[3], "Conv2d", $"input {x.Shape} has {x.Shape[3]} channels, the {kernel}x{kernel} filter expects {filter.K / (kernel * kernel)}");
        var shape = new Conv2dShape
        {
            Batch = x.Shape[0],
            Height = x.Shape[1],
            Width = x.Shape[2],
            InChannels = x.Shape[3],
            OutChannels = filter.N,
            Kernel = kernel,
            Stride = stride,
            PadBefore = padBefore,
            PadAfter = padAfter,
            Upsample = upsample,
        };
        ShapeException.Require(x.Shape[1] * upsample + padBefore + padAfter >= kernel && x.Shape[2] * upsample + padBefore + padAfter >= kernel, "Conv2d", $"input {x.Shape} is smaller than the {kernel}x{kernel} filter");
        var outShape = new Shape(x.Shape[0], shape.OutHeight, shape.OutWidth, filter.N);
        var epilogue = MatMulOp.Epilogue(bias, filter.N, activation, residual, outShape, "Conv2d");
        var output = x.Device.Empty(outShape);
        x.Device.Backend.Conv2d(x.Floats, shape, filter, epilogue, output.Floats);
        return output;
    }
}
