using ClipGen.Kernels;

namespace ClipGen.Cli.Benchmarks;

/// <summary>Something to time.</summary>
/// <param name="Name">As on the command line: <c>gemm:576x4096x1024</c>.</param>
/// <param name="Flops">Floating-point operations of one run; a multiply-add is two.</param>
/// <param name="Bytes">Least bytes one run must read and write.</param>
/// <param name="Run">One run.</param>
/// <param name="Free">Gives the models and buffers back.</param>
internal sealed record BenchCase(string Name, double Flops, double Bytes, Action Run, Action Free) : IDisposable
{
    /// <summary>Counts and times every op of the case, where it runs through a counting backend.</summary>
    public TimingBackend? Ops { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Free();
}
