namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IDropout
{
    /// <inheritdoc/>
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        RequireProbability(mask);
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

    private static void RequireProbability(in DropoutMask mask, [System.Runtime.CompilerServices.CallerMemberName] string op = "") =>
        Arguments.Require(mask.Probability is >= 0 and < 1, $"probability {mask.Probability}, expected at least 0 and less than 1", op);
}
