using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>An op without a case is untested everywhere at once: no backend, wrapper or benchmark would notice it.</summary>
public sealed class CaseCoverageTests
{
    private static readonly Type[] Contracts = [.. typeof(IBackend).GetInterfaces().Where(type => type != typeof(IDeviceAllocator) && type != typeof(IDisposable))];

    [Fact]
    public void EveryMethodOfEveryOpIsReachedByACase()
    {
        using var backend = new RecordingBackend(new ReferenceBackend());
        foreach (var test in CaseRegistry.All.Where(test => !test.Large)) CaseRunner.Execute(test, backend);
        var methods = Contracts.SelectMany(contract => contract.GetMethods()).Select(method => (method.Name, method.GetParameters().Length)).ToArray();
        // Name and number of parameters must tell all methods apart, or one overload would stand in for another.
        Assert.Equal(methods.Length, methods.Distinct().Count());
        Assert.DoesNotContain(methods, method => !backend.Called.Contains(method));
    }

    [Fact]
    public void EveryCaseBelongsToOneOpAndEveryOpHasCases()
    {
        Assert.NotEmpty(Contracts);
        Assert.DoesNotContain(CaseRegistry.All, test => !Contracts.Contains(test.Contract));
        Assert.DoesNotContain(Contracts, contract => CaseRegistry.All.All(test => test.Contract != contract));
    }

    [Fact]
    public void CpuReferenceAndWrapperImplementEveryOp()
    {
        foreach (var type in new[] { typeof(CpuBackend), typeof(ReferenceBackend), typeof(WrappingBackend) })
            Assert.DoesNotContain(Contracts, contract => !contract.IsAssignableFrom(type));
    }
}
