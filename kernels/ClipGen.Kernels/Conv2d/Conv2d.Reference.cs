namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IConv2d
{
    /// <inheritdoc/>
    public void Conv2d(View<float> input, in Conv2dShape shape, PackedMatrix filter, in Epilogue epilogue, View<float> output)
    {
        Reals x = Real(input), w = Real(new View<float>(filter.Memory, 0, (long)filter.N * filter.K)), y = Real(output);
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
                                var h = oh * shape.Stride - shape.PadBefore + i;
                                var v = ow * shape.Stride - shape.PadBefore + j;
                                if (h < 0 || v < 0 || h >= shape.Height * shape.Upsample || v >= shape.Width * shape.Upsample) continue;
                                var pixel = x + (((long)b * shape.Height + h / shape.Upsample) * shape.Width + v / shape.Upsample) * channels;
                                var tap = w + (((long)o * kernel + i) * kernel + j) * channels;
                                for (var c = 0; c < channels; c++) sum += pixel[c] * tap[c];
                            }
                        y[index] = Finish(sum, index, o, bias, epilogue.Activation, residual);
                    }
    }
}
