namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IRandom
{
    /// <inheritdoc/>
    public void FillUniform(in RandomKey key, long firstIndex, View<float> output)
    {
        var y = Real(output);
        for (var i = 0L; i < output.Length; i++) y[i] = Philox.Uniform(key, firstIndex + i);
    }
}
