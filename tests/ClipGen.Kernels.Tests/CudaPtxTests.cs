namespace ClipGen.Kernels.Tests;

/// <summary>Every kernel compiles to PTX, with no GPU at hand.</summary>
public sealed class CudaPtxTests
{
    public static TheoryData<string, int> Kernels()
    {
        var data = new TheoryData<string, int>();
        foreach (var kernel in CudaKernels.All)
            foreach (var capability in new[] { 80, 90 })
                data.Add(kernel.Name, capability);
        return data;
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Compiles(string name, int capability)
    {
        var ptx = CudaKernels.Ptx(CudaKernels.All.Single(kernel => kernel.Name == name), capability);
        Assert.Contains(".visible .entry", ptx);
        // What ILGPU 1.5.3 makes of (condition ? 1 : 0) as a float: a number of 1.4e-45 instead of 1.
        Assert.DoesNotContain("0f00000001", ptx);
    }

    [Fact]
    public void NamesAreUnique() => Assert.Equal(CudaKernels.All.Count, CudaKernels.All.Select(kernel => kernel.Name).Distinct().Count());
}
