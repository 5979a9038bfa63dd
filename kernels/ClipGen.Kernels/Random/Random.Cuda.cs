using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IRandom
{
    /// <inheritdoc/>
    public void FillUniform(in RandomKey key, long firstIndex, View<float> output)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstIndex);
        LaunchOver(RandomCuda.FillUniform, output.Length, new FillUniformArguments { Output = View(output), Key = key, First = firstIndex });
    }
}

internal struct FillUniformArguments
{
    public ArrayView<float> Output;
    public RandomKey Key;
    public long First;
}

/// <summary>Counter-based numbers: the host's formula, compiled for the device.</summary>
internal static class RandomCuda
{
    /// <summary><c>y[i] = uniform(key, first + i)</c>.</summary>
    [CudaKernel]
    public static void FillUniform(FillUniformArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step) a.Output[i] = Philox.Uniform(a.Key, a.First + i);
    }
}
