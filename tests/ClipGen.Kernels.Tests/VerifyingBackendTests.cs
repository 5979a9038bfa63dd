using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>The wrapper that finds a wrong op must accept right ones and name the first wrong one.</summary>
public sealed class VerifyingBackendTests
{
    [Fact]
    public void AcceptsEverySmallCaseOfTheCpu()
    {
        using var backend = new VerifyingBackend(new CpuBackend(2));
        foreach (var test in CaseRegistry.All.Where(test => !test.Large)) CaseRunner.Execute(test, backend);
        // One call per case: packing is not an op.
        Assert.Equal(CaseRegistry.All.Count(test => !test.Large), backend.Calls);
        Assert.Equal(0, backend.Memory.LiveBlocks);
    }

    [Theory]
    [InlineData("LayerNorm", 2)]
    [InlineData("MatMul", 3)]
    [InlineData("ArgMaxRows", 4)]
    public void NamesTheFirstWrongOp(string broken, int call)
    {
        using var backend = new VerifyingBackend(new WrongBackend(new CpuBackend(1), broken, 1));
        var error = Assert.Throws<VerificationException>(() => Chain(backend));
        Assert.StartsWith($"{broken}, call {call}, output 0: ", error.Message);
    }

    [Fact]
    public void AcceptsTheChainWhenNothingIsBroken()
    {
        using var backend = new VerifyingBackend(new WrongBackend(new CpuBackend(1), "none of them", 1));
        Chain(backend);
        Assert.Equal(4, backend.Calls);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void ANumberThatIsNoneIsWrong(float by)
    {
        using var backend = new VerifyingBackend(new WrongBackend(new CpuBackend(1), "LayerNorm", by), tolerance: 1e30);
        Assert.StartsWith("LayerNorm, call 2", Assert.Throws<VerificationException>(() => Chain(backend)).Message);
    }

    [Fact]
    public void AForeignPackedWeightIsRefused()
    {
        using var cpu = new CpuBackend(1);
        using var backend = new VerifyingBackend(cpu);
        using var arrays = new DeviceArrays(cpu);
        using var packed = cpu.AllocatePacked(2, 2);
        Assert.Contains("not allocated through", Assert.Throws<InvalidOperationException>(() => backend.MatMul(arrays.From(1f, 2f), 1, packed, default, arrays.Empty<float>(2))).Message);
    }

    private static void Chain(IBackend backend)
    {
        using var arrays = new DeviceArrays(backend);
        var x = arrays.From(CaseData.Normal(12, 1));
        var one = arrays.From(1f, 1, 1, 1);
        var y = arrays.Empty<float>(12);
        backend.Activate(Activation.Silu, x, y);
        backend.LayerNorm(y, one, one, 3, 4, 1e-5f, y);
        backend.MatMulPlain(new MatMulShape(3, 3, 4), x, y, default, arrays.Empty<float>(9));
        backend.ArgMaxRows(y, 3, 4, arrays.Empty<int>(3));
    }
}
