using System.Collections.Concurrent;
using ClipGen.Kernels;
using ClipGen.OpCases;

namespace ClipGen.Kernels.Tests;

/// <summary>Every case on the CPU backend, at every instruction set the machine has, against the double-precision reference.</summary>
public sealed class ConformanceTests
{
    private static readonly ReferenceBackend Reference = new();
    private static readonly ConcurrentDictionary<string, Dictionary<string, double[]>> Expected = new();
    private static readonly ConcurrentDictionary<(SimdLevel, int), CpuBackend> Backends = new();

    public static TheoryData<string> CaseNames() => [.. CaseRegistry.All.Where(c => !c.Large).Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void CpuMatchesReference(string name)
    {
        var test = CaseRegistry.All.Single(c => c.Name == name);
        var expected = Expected.GetOrAdd(name, _ => CaseRunner.Execute(test, Reference));
        foreach (var level in SimdLevels.Available)
        {
            var one = CaseRunner.Execute(test, Cpu(level, 1));
            CaseRunner.Compare(test, expected, one, $"cpu {level}, 1 thread");
            // Results must not depend on the number of threads, nor on alignment: the same bits.
            foreach (var (threads, shift) in new[] { (2, 1), (3, 0) })
            {
                var many = CaseRunner.Execute(test, Cpu(level, threads), shift);
                foreach (var (output, values) in one)
                    Assert.Equal(values, many[output]);
            }
        }
    }

    [Fact]
    public void CaseNamesAreUnique() =>
        Assert.Equal(CaseRegistry.All.Count, CaseRegistry.All.Select(c => c.Name).Distinct().Count());

    private static CpuBackend Cpu(SimdLevel level, int threads) =>
        Backends.GetOrAdd((level, threads), key => new CpuBackend(key.Item2, key.Item1));
}
