namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IConv2d
{
    /// <inheritdoc/>
    public void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output) =>
        Conv2dPlain(input, shape, new View<float>(filter.Memory, 0, (long)filter.N * filter.K), epilogue, output);

    /// <inheritdoc/>
    public void Conv2dPlain(View<float> input, in Conv2dShape shape, View<float> filter, in Epilogue epilogue, View<float> output)
    {
        Reals x = Real(input), w = Real(filter), y = Real(output);
        Reals bias = Real(epilogue.Bias), residual = Real(epilogue.Residual);
        int channels = shape.InChannels, kernel = shape.Kernel;
        var index = 0L;
        for (var b = 0; b < shape.Batch; b++)
            for (var oh = 0; oh < shape.OutHeight; oh++)
                for (var ow = 0; ow < shape.OutWidth; ow++)
                    for (var o = 0; o < shape.OutChannels; o++, index++)
                    {
                        var sum = 0.0;
                        for (var i = 0; i < kernel; i++)
                            for (var j = 0; j < kernel; j++)
                            {
                                if (PixelUnder(shape, b, oh, ow, i, j) is not { } pixel) continue;
                                var (from, tap) = (x + pixel * channels, w + (((long)o * kernel + i) * kernel + j) * channels);
                                for (var c = 0; c < channels; c++) sum += from[c] * tap[c];
                            }
                        y[index] = Finish(sum, index, o, bias, epilogue.Activation, residual);
                    }
    }

    /// <inheritdoc/>
    public void Conv2dBackwardInput(View<float> outputGradient, in Conv2dShape shape, View<float> filter, View<float> inputGradient)
    {
        Reals dy = Real(outputGradient), w = Real(filter), dx = Real(inputGradient);
        int channels = shape.InChannels, kernel = shape.Kernel, outputs = shape.OutChannels;
        // Every output goes back to the pixels that it read; the sums stay doubles until they are whole.
        var sums = new double[(long)shape.Batch * shape.Height * shape.Width * channels];
        var index = 0L;
        for (var b = 0; b < shape.Batch; b++)
            for (var oh = 0; oh < shape.OutHeight; oh++)
                for (var ow = 0; ow < shape.OutWidth; ow++, index++)
                    for (var i = 0; i < kernel; i++)
                        for (var j = 0; j < kernel; j++)
                        {
                            if (PixelUnder(shape, b, oh, ow, i, j) is not { } pixel) continue;
                            for (var o = 0; o < outputs; o++)
                            {
                                var tap = w + (((long)o * kernel + i) * kernel + j) * channels;
                                for (var c = 0; c < channels; c++) sums[pixel * channels + c] += dy[index * outputs + o] * tap[c];
                            }
                        }
        for (var i = 0L; i < sums.LongLength; i++) dx[i] = sums[i];
    }

    /// <inheritdoc/>
    public void Conv2dBackwardFilter(View<float> input, in Conv2dShape shape, View<float> outputGradient, View<float> filterGradient)
    {
        Reals x = Real(input), dy = Real(outputGradient), dw = Real(filterGradient);
        int channels = shape.InChannels, kernel = shape.Kernel, outputs = shape.OutChannels;
        var sums = new double[(long)outputs * shape.K];
        var index = 0L;
        for (var b = 0; b < shape.Batch; b++)
            for (var oh = 0; oh < shape.OutHeight; oh++)
                for (var ow = 0; ow < shape.OutWidth; ow++, index++)
                    for (var i = 0; i < kernel; i++)
                        for (var j = 0; j < kernel; j++)
                        {
                            if (PixelUnder(shape, b, oh, ow, i, j) is not { } pixel) continue;
                            for (var o = 0; o < outputs; o++)
                            {
                                var tap = (((long)o * kernel + i) * kernel + j) * channels;
                                for (var c = 0; c < channels; c++) sums[tap + c] += dy[index * outputs + o] * x[pixel * channels + c];
                            }
                        }
        for (var i = 0L; i < sums.LongLength; i++) dw[i] = sums[i];
    }

    /// <summary>Number of the input pixel that lies under one tap of the filter at one output, or null outside the picture.</summary>
    private static long? PixelUnder(in Conv2dShape s, int picture, int row, int column, int i, int j)
    {
        int h = row * s.Stride - s.PadBefore + i, w = column * s.Stride - s.PadBefore + j;
        if (h < 0 || w < 0 || h >= s.Height * s.Upsample || w >= s.Width * s.Upsample) return null;
        return ((long)picture * s.Height + h / s.Upsample) * s.Width + w / s.Upsample;
    }
}
