using System.Diagnostics;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>What a card can do at most, measured: the roofs that kernels are held against.</summary>
/// <param name="Flops">Float32 multiply-adds in registers, counted as two, per second.</param>
/// <param name="TensorCoreFlops">The same of bf16 on tensor cores by <c>mma.sync</c>, which on Hopper is less than its own <c>wgmma</c> can do.</param>
/// <param name="ReadBytes">Bytes per second read from memory.</param>
public sealed record CudaPeaks(double Flops, double TensorCoreFlops, double ReadBytes);

public sealed partial class CudaBackend
{
    /// <summary>Measures for a fraction of a second; the best of a few rounds counts.</summary>
    public CudaPeaks MeasurePeaks() => MeasurePeaks(1 << 13, 1L << 30);

    /// <summary>The same at a size of one's own.</summary>
    /// <param name="steps">Rounds of multiply-adds.</param>
    /// <param name="bytes">Bytes to read; far more than the caches hold, or it is their speed that is measured.</param>
    internal CudaPeaks MeasurePeaks(int steps, long bytes)
    {
        // As many warps as a multiprocessor holds of either kernel.
        var groups = 8L * accelerator.NumMultiprocessors;
        using var sink = Allocate(4 * groups * MostThreads);
        View<float> results = new(sink, 0, groups * MostThreads);
        var arguments = new PeakArguments { Output = View(results), Steps = steps, Scale = 0.5f };
        var flops = 2.0 * PeaksCuda.MultiplyAdds * steps * MostThreads * groups / Best(() => Launch(PeaksCuda.PeakMultiplyAdds, groups, MostThreads, arguments));
        var products = (double)PeaksCuda.ProductFlops * steps * (MostThreads / GroupReduce.WarpSize) * groups / Best(() => Launch(PeaksCuda.PeakProducts, groups, MostThreads, arguments));
        using var memory = Allocate(bytes);
        View<float> array = new(memory, 0, bytes / 4);
        Fill(1, array);
        return new CudaPeaks(flops, products, bytes / Best(() => SumOfSquares(array, results.Slice(0, 1))));
    }

    private double Best(Action round)
    {
        round();
        Synchronize();
        var best = double.PositiveInfinity;
        for (var i = 0; i < 5; i++)
        {
            var start = Stopwatch.GetTimestamp();
            round();
            Synchronize();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }
}

internal struct PeakArguments
{
    public ArrayView<float> Output;
    public int Steps;
    public float Scale;
}

/// <summary>Kernels that do nothing but what is to be measured.</summary>
internal static class PeaksCuda
{
    /// <summary>Multiply-adds of a thread in a step of <see cref="PeakMultiplyAdds"/>.</summary>
    public const int MultiplyAdds = 32;

    /// <summary>Floating-point operations of a warp in a step of <see cref="PeakProducts"/>: sixteen products of 16 x 8 x 16.</summary>
    public const int ProductFlops = 16 * 2 * 16 * 8 * 16;

    /// <summary>Thirty-two chains of multiply-adds a thread.</summary>
    [CudaKernel]
    public static void PeakMultiplyAdds(PeakArguments a)
    {
        Float4 x = new() { X = a.Scale, Y = 1, Z = Group.IdxX, W = 2 };
        Float4 c0 = default, c1 = x, c2 = default, c3 = x, c4 = default, c5 = x, c6 = default, c7 = x;
        for (var step = 0; step < a.Steps; step++)
        {
            c0 = c0.Plus(a.Scale, x);
            c1 = c1.Plus(a.Scale, x);
            c2 = c2.Plus(a.Scale, c0);
            c3 = c3.Plus(a.Scale, c1);
            c4 = c4.Plus(a.Scale, c2);
            c5 = c5.Plus(a.Scale, c3);
            c6 = c6.Plus(a.Scale, c4);
            c7 = c7.Plus(a.Scale, c5);
        }
        var sum = c6.Plus(1, c7);
        a.Output[(long)Grid.IdxX * Group.DimX + Group.IdxX] = sum.X + sum.Y + sum.Z + sum.W;
    }

    /// <summary>Sixteen chains of products a warp.</summary>
    [CudaKernel]
    public static void PeakProducts(PeakArguments a)
    {
        var word = BFloat16.Pack(a.Scale, Group.IdxX);
        UInt4 x = new() { X = word, Y = word, Z = word, W = word };
        // Each begins elsewhere: chains that are alike would be computed once.
        TensorCoreSums low = First(0), high = First(8);
        for (var step = 0; step < a.Steps; step++)
        {
            low = low.Plus(x, x, x, x, x);
            high = high.Plus(x, x, x, x, x);
        }
        var sum = low.C0.Plus(1, low.C1).Plus(1, low.C2).Plus(1, low.C3).Plus(1, low.C4).Plus(1, low.C5).Plus(1, low.C6).Plus(1, low.C7);
        sum = sum.Plus(1, high.C0).Plus(1, high.C1).Plus(1, high.C2).Plus(1, high.C3).Plus(1, high.C4).Plus(1, high.C5).Plus(1, high.C6).Plus(1, high.C7);
        a.Output[(long)Grid.IdxX * Group.DimX + Group.IdxX] = sum.X + sum.Y + sum.Z + sum.W;
    }

    private static TensorCoreSums First(float x) => new()
    {
        C0 = new Float4 { X = x },
        C1 = new Float4 { X = x + 1 },
        C2 = new Float4 { X = x + 2 },
        C3 = new Float4 { X = x + 3 },
        C4 = new Float4 { X = x + 4 },
        C5 = new Float4 { X = x + 5 },
        C6 = new Float4 { X = x + 6 },
        C7 = new Float4 { X = x + 7 },
    };
}
