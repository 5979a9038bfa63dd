using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IDropout
{
    /// <inheritdoc/>
    public void Dropout(in DropoutMask mask, View<float> input, View<float> output)
    {
        mask.Require();
        Arguments.Length(output, input.Length);
        LaunchOver(DropoutCuda.Dropout, input.Length, new DropoutArguments { Input = View(input), Output = View(output), Mask = mask });
    }
}

internal struct DropoutArguments
{
    public ArrayView<float> Input, Output;
    public DropoutMask Mask;
}

/// <summary>Masks drawn where they are used: ten rounds of Philox are cheaper than reading a stored mask.</summary>
internal static class DropoutCuda
{
    /// <summary><c>y[i] = keep(i) ? x[i] · scale : 0</c>.</summary>
    [CudaKernel]
    public static void Dropout(DropoutArguments a)
    {
        for (var i = GridStride.First; i < a.Input.Length; i += GridStride.Step)
        {
            var factor = a.Mask.Factor(i);
            // Not a product: infinity times 0 is not 0.
            a.Output[i] = factor == 0 ? 0 : a.Input[i] * factor;
        }
    }
}
