namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IDropout
{
    /// <inheritdoc/>
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var i = 0L; i < input.Length; i++)
        {
            var factor = mask.Factor(i);
            y[i] = factor == 0 ? 0 : x[i] * factor;
        }
    }
}
