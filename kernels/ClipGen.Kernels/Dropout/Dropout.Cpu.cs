namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IDropout
{
    /// <inheritdoc/>
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        mask.Require();
        Arguments.Length(output, input.Length);
        float* x = Pointer(input), y = Pointer(output);
        var count = input.Length;
        var m = mask;
        Workers.For(checked((int)((count + ElementwisePart - 1) / ElementwisePart)), part =>
        {
            var first = (long)part * ElementwisePart;
            var length = (int)Math.Min(ElementwisePart, count - first);
            if (m.Probability > 0) DropoutKernel.Apply(m, x + first, first, length, y + first);
            else new Span<float>(x + first, length).CopyTo(new Span<float>(y + first, length));
        });
    }

}
