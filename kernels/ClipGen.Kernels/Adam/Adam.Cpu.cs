namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IAdam
{
    // Elements of one part: four arrays of 128 KiB, long streams for the memory and still thousands of parts of a large model.
    private const int AdamPart = 1 << 15;

    /// <inheritdoc/>
    public void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors)
    {
        step.Require();
        // All tensors share one fork-join; tensor i has the parts from firstParts[i] on.
        var firstParts = new int[tensors.Count];
        var arrays = new AdamArrays[tensors.Count];
        var parts = 0;
        for (var i = 0; i < tensors.Count; i++)
        {
            var tensor = tensors[i];
            var length = tensor.Parameter.Length;
            tensor.Require(i);
            arrays[i] = new AdamArrays(Pointer(tensor.Parameter), Pointer(tensor.Gradient), Pointer(tensor.Mean), Pointer(tensor.Variance), length);
            firstParts[i] = parts;
            parts = checked(parts + (int)((length + AdamPart - 1) / AdamPart));
        }
        var level = Simd;
        var factors = new AdamFactors(step);
        Workers.For(parts, part =>
        {
            // The last tensor that begins at or before the part; tensors without elements begin where the next one does and are passed over.
            var index = Array.BinarySearch(firstParts, part);
            if (index < 0) index = ~index - 1;
            while (index + 1 < firstParts.Length && firstParts[index + 1] <= part) index++;
            AdamKernel.Update(level, factors, arrays[index], (long)(part - firstParts[index]) * AdamPart, AdamPart);
        });
    }
}
