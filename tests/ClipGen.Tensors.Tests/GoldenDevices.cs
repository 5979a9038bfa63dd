using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests;

/// <summary>The devices that golden numbers are held against: the reference, and the CPU at every level the machine has.</summary>
internal static class GoldenDevices
{
    public static IReadOnlyList<string> Names { get; } = ["reference", .. SimdLevels.Available.Select(level => level.ToString())];

    public static IBackend Create(string name) => name == "reference" ? new ReferenceBackend() : new CpuBackend(2, Enum.Parse<SimdLevel>(name));
}
