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

    public static TheoryData<string> ForcedCases() => [.. CaseRegistry.All.Where(c => !c.Large && c.Contract.Name[1..] is var op && KernelVariants.All.Any(v => v.Op == op)).Select(c => c.Name)];

    /// <summary>Forms that would not be chosen for a shape are right for it too.</summary>
    [Theory]
    [MemberData(nameof(ForcedCases))]
    public void ForcedFormsMatchTheReference(string name)
    {
        var test = CaseRegistry.All.Single(c => c.Name == name);
        var expected = Expected.GetOrAdd(name, _ => CaseRunner.Execute(test, Reference));
        foreach (var variant in KernelVariants.All.Where(v => v.Op == test.Contract.Name[1..]))
        {
            using var cpu = new CpuBackend(2, variants: variant.Apply(KernelVariants.Measured));
            // Tiles err by up to twice as much as a case asks for that expects the direct form (Conv2dCases), and by that of the 36 terms of a transformed tile where there are few channels to outweigh them.
            var looser = variant.Choice == "Conv2d=tiles" ? test.With(new Tolerance(2 * test.Tolerance.Relative, 2 * test.Tolerance.Absolute + 10 * 36 * Math.ScaleB(1, -24), test.Tolerance.Reason)) : test;
            CaseRunner.Compare(looser, expected, CaseRunner.Execute(test, cpu), variant.Choice);
        }
    }

    [Fact]
    public void CaseNamesAreUnique() =>
        Assert.Equal(CaseRegistry.All.Count, CaseRegistry.All.Select(c => c.Name).Distinct().Count());

    private static CpuBackend Cpu(SimdLevel level, int threads) =>
        Backends.GetOrAdd((level, threads), key => new CpuBackend(key.Item2, key.Item1));
}
