namespace ClipGen.Kernels;

/// <summary>
/// The SIMD backend: what runs where there is no GPU. Its parts lie in the ops' folders (<c>&lt;Op&gt;.Cpu.cs</c>);
/// each validates, splits the work over <see cref="Workers"/> and calls pure kernels for the chosen <see cref="Simd"/> level.
/// </summary>
public sealed partial class CpuBackend : HostBackend, IBackend
{
    /// <summary>A backend with its own worker threads.</summary>
    /// <param name="threads">Threads to compute with, the caller's included; 0 for all processors.</param>
    /// <param name="simd">Instruction set to use; null for the best there is, or what <c>CLIPGEN_SIMD</c> forces.</param>
    /// <param name="variants">Forms of kernels to use; null for what measured fastest. An instruction set in it counts where <paramref name="simd"/> is null.</param>
    /// <exception cref="PlatformNotSupportedException">The processor lacks the level that was asked for.</exception>
    public CpuBackend(int threads = 0, SimdLevel? simd = null, KernelVariants? variants = null) : this(threads, Required(simd ?? variants?.Simd ?? SimdLevels.Default), variants ?? KernelVariants.Measured)
    {
    }

    private CpuBackend(int threads, SimdLevel simd, KernelVariants variants)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Simd = simd;
        Variants = variants;
        Workers = new WorkerPool(threads == 0 ? Environment.ProcessorCount : threads);
    }

    /// <inheritdoc/>
    public override string Name => "cpu";

    /// <summary>The instruction set its kernels use.</summary>
    public SimdLevel Simd { get; }

    /// <summary>The forms of kernels that it uses.</summary>
    public KernelVariants Variants { get; }

    /// <summary>The threads its kernels run on.</summary>
    public WorkerPool Workers { get; }

    /// <summary>Working memory of the kernels, one block per thread: packed rows of A.</summary>
    private readonly ScratchMemory rowScratch = new();

    /// <summary>A second block per thread: sums of tiles.</summary>
    private readonly ScratchMemory sumScratch = new();

    /// <summary>
    /// A backend at a level that this processor may lack. The kernels are written in portable vectors, so they run all the same, in
    /// software: slowly, but it is the same code, and a test of it is a test of what runs elsewhere.
    /// </summary>
    internal static CpuBackend InSoftware(int threads, SimdLevel simd) => new(threads, simd, KernelVariants.Measured);

    /// <inheritdoc/>
    protected override void DisposeWorkers()
    {
        Workers.Dispose();
        rowScratch.Dispose();
        sumScratch.Dispose();
    }

    private static SimdLevel Required(SimdLevel simd)
    {
        SimdLevels.Require(simd);
        return simd;
    }
}
