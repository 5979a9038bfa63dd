namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IRandom
{
    /// <inheritdoc/>
    public void FillUniform(in RandomKey key, long firstIndex, View<float> output)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstIndex);
        var k = key;
        var y = Pointer(output);
        var count = output.Length;
        Workers.For(checked((int)((count + ElementwisePart - 1) / ElementwisePart)), part =>
        {
            var end = Math.Min(count, (part + 1L) * ElementwisePart);
            for (var i = (long)part * ElementwisePart; i < end; i++) y[i] = Philox.Uniform(k, firstIndex + i);
        });
    }
}
