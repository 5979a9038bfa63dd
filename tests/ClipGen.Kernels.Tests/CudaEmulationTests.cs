using System.Diagnostics;
using ClipGen.OpCases;
using ClipGen.Testing;

namespace ClipGen.Kernels.Tests;

/// <summary>Every CUDA kernel without a card: warp by warp on threads of the host, against the double-precision reference, at sizes that this bears.</summary>
public sealed class CudaEmulationTests(ITestOutputHelper output)
{
    // Emulation does about a tenth of a GFLOP a second, and a barrier costs it tens of microseconds.
    private const double MostFlops = 3e6;
    private const int MostElements = 30_000;

    private static readonly OpCase[] Cases = [.. CaseRegistry.All.Where(c => !c.Large && c.Work.Flops <= MostFlops && c.Buffers.Sum(b => b.Length) <= MostElements)];

    // Products once more on tensor cores: whole warps meet for every instruction, so only what it takes to see borders, several slices of k and several tiles.
    private static readonly OpCase[] TensorCoreCases = [.. Cases.Where(c => BFloat16Cases.HasProducts(c) && (c.Work.Flops <= 3e5 || c.Name.Contains("113x129x61", StringComparison.Ordinal)))];

    private static readonly Lazy<(Dictionary<string, Exception?> Failures, Dictionary<string, TimeSpan> Times, IReadOnlyCollection<string> Launched)> Results = new(RunAll);

    public static TheoryData<string> CaseNames() => [.. Cases.Select(c => c.Name)];

    public static TheoryData<string> TensorCoreCaseNames() => [.. TensorCoreCases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void MatchesReference(string name)
    {
        if (Results.Value.Failures[name] is { } failure) throw failure;
    }

    [Theory]
    [MemberData(nameof(TensorCoreCaseNames))]
    public void TensorCoresMatchReference(string name)
    {
        if (Results.Value.Failures["bf16 " + name] is { } failure) throw failure;
    }

    [Fact]
    public void EveryKernelIsLaunchedByACase()
    {
        foreach (var (name, time) in Results.Value.Times.OrderByDescending(pair => pair.Value).Take(20)) output.WriteLine($"{time.TotalSeconds:F2} s {name}");
        output.WriteLine($"{Results.Value.Times.Values.Sum(time => time.TotalSeconds):F0} s for {Cases.Length} cases");
        Assert.Empty(CudaKernels.All.Select(kernel => kernel.Name).Except(Results.Value.Launched));
    }

    private static (Dictionary<string, Exception?>, Dictionary<string, TimeSpan>, IReadOnlyCollection<string>) RunAll()
    {
        using var machine = new MachineLock();
        using var reference = new ReferenceBackend();
        using var cuda = CudaBackend.Emulated();
        Dictionary<string, Exception?> failures = [];
        Dictionary<string, TimeSpan> times = [];
        // Every other case off its alignment: kernels have a way for either.
        foreach (var (i, test) in Cases.Index()) Run(test.Name, () =>
        {
            var expected = CaseRunner.Execute(test, reference);
            CaseRunner.Compare(test, expected, CaseRunner.Execute(test, cuda, shift: i % 2), cuda.Name);
        });
        cuda.BFloat16Products = true;
        foreach (var (i, test) in TensorCoreCases.Index()) Run("bf16 " + test.Name, () =>
        {
            var expected = BFloat16Cases.Execute(test, reference);
            BFloat16Cases.Compare(test, expected, BFloat16Cases.Execute(test, cuda, shift: i % 2), cuda.Name);
        });
        // Kernels that measure and compute nothing have no case.
        var peaks = cuda.MeasurePeaks(2, 1 << 16);
        Assert.True(peaks is { Flops: > 0, TensorCoreFlops: > 0, ReadBytes: > 0 }, $"{peaks}");
        return (failures, times, cuda.Launched);

        void Run(string name, Action test)
        {
            var clock = Stopwatch.StartNew();
            try
            {
                test();
                failures.Add(name, null);
            }
            catch (Exception e)
            {
                failures.Add(name, e);
            }
            times.Add(name, clock.Elapsed);
        }
    }
}
