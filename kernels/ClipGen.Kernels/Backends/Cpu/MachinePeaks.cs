using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>What this machine can do at most, measured: the roofs that kernels are held against.</summary>
/// <param name="Threads">Threads that ran together.</param>
/// <param name="Flops">Multiply-adds in registers, counted as two, per second.</param>
/// <param name="ReadBytes">Bytes per second read from an array far larger than the caches.</param>
public sealed unsafe record MachinePeaks(int Threads, double Flops, double ReadBytes)
{
    private const int FmaSteps = 1 << 22;
    private const long ArrayBytes = 256L << 20;
    private const int Rounds = 5;

    /// <summary>Measures for about a second; the best of a few rounds counts, since anything else that runs can only slow a round down.</summary>
    /// <param name="threads">Threads to use.</param>
    /// <param name="level">Instruction set.</param>
    public static MachinePeaks Measure(int threads, SimdLevel level)
    {
        using var pool = new WorkerPool(threads);
        var width = level switch { SimdLevel.Avx512 => 16, SimdLevel.Avx2 => 8, _ => 4 };
        var chains = level switch { SimdLevel.Avx512 => Fma512(1), SimdLevel.Avx2 => Fma256(1), _ => Fma128(1) };
        var sink = new float[threads * 16];
        var flops = 2.0 * FmaSteps * 12 * width * threads / Best(() => pool.For(threads, part => sink[part * 16] = level switch
        {
            SimdLevel.Avx512 => Fma512(FmaSteps),
            SimdLevel.Avx2 => Fma256(FmaSteps),
            _ => Fma128(FmaSteps),
        }));

        var array = (float*)LargePages.Allocate((nuint)ArrayBytes);
        try
        {
            var perPart = ArrayBytes / 4 / threads / 64 * 64;
            for (long i = 0; i < ArrayBytes / 4; i++) array[i] = 1;
            var read = 4.0 * perPart * threads / Best(() => pool.For(threads, part => sink[part * 16] = Sum(array + part * perPart, perPart)));
            GC.KeepAlive(sink);
            GC.KeepAlive(chains);
            return new MachinePeaks(threads, flops, read);
        }
        finally
        {
            NativeMemory.AlignedFree(array);
        }
    }

    private static double Best(Action round)
    {
        round();
        var best = double.PositiveInfinity;
        for (var i = 0; i < Rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            round();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    // Twelve independent chains: a multiply-add takes four or five cycles and two start in each.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Fma512(int steps)
    {
        Vector512<float> a = Vector512<float>.Zero, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, x = Vector512.Create(0.5f), y = Vector512.Create(1f);
        for (var n = 0; n < steps; n++)
        {
            a = Vector512.MultiplyAddEstimate(a, x, y);
            b = Vector512.MultiplyAddEstimate(b, x, y);
            c = Vector512.MultiplyAddEstimate(c, x, y);
            d = Vector512.MultiplyAddEstimate(d, x, y);
            e = Vector512.MultiplyAddEstimate(e, x, y);
            f = Vector512.MultiplyAddEstimate(f, x, y);
            g = Vector512.MultiplyAddEstimate(g, x, y);
            h = Vector512.MultiplyAddEstimate(h, x, y);
            i = Vector512.MultiplyAddEstimate(i, x, y);
            j = Vector512.MultiplyAddEstimate(j, x, y);
            k = Vector512.MultiplyAddEstimate(k, x, y);
            l = Vector512.MultiplyAddEstimate(l, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Fma256(int steps)
    {
        Vector256<float> a = Vector256<float>.Zero, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, x = Vector256.Create(0.5f), y = Vector256.Create(1f);
        for (var n = 0; n < steps; n++)
        {
            a = Vector256.MultiplyAddEstimate(a, x, y);
            b = Vector256.MultiplyAddEstimate(b, x, y);
            c = Vector256.MultiplyAddEstimate(c, x, y);
            d = Vector256.MultiplyAddEstimate(d, x, y);
            e = Vector256.MultiplyAddEstimate(e, x, y);
            f = Vector256.MultiplyAddEstimate(f, x, y);
            g = Vector256.MultiplyAddEstimate(g, x, y);
            h = Vector256.MultiplyAddEstimate(h, x, y);
            i = Vector256.MultiplyAddEstimate(i, x, y);
            j = Vector256.MultiplyAddEstimate(j, x, y);
            k = Vector256.MultiplyAddEstimate(k, x, y);
            l = Vector256.MultiplyAddEstimate(l, x, y);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Fma128(int steps)
    {
        Vector128<float> a = Vector128<float>.Zero, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, x = Vector128.Create(0.5f), y = Vector128.Create(1f);
        for (var n = 0; n < steps; n++)
        {
            a = Vector128.MultiplyAddEstimate(a, x, y);
            b = Vector128.MultiplyAddEstimate(b, x, y);
            c = Vector128.MultiplyAddEstimate(c, x, y);
            d = Vector128.MultiplyAddEstimate(d, x, y);
            e = Vector128.MultiplyAddEstimate(e, x, y);
            f = Vector128.MultiplyAddEstimate(f, x, y);
            g = Vector128.MultiplyAddEstimate(g, x, y);
            h = Vector128.MultiplyAddEstimate(h, x, y);
            i = Vector128.MultiplyAddEstimate(i, x, y);
            j = Vector128.MultiplyAddEstimate(j, x, y);
            k = Vector128.MultiplyAddEstimate(k, x, y);
            l = Vector128.MultiplyAddEstimate(l, x, y);
        }
        return Vector128.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Sum(float* x, long count)
    {
        Vector256<float> a = Vector256<float>.Zero, b = a, c = a, d = a;
        for (long i = 0; i < count; i += 32)
        {
            // Far enough ahead that the next lines are on their way across page ends too.
            GemmTile.Prefetch((byte*)(x + i + 2048));
            GemmTile.Prefetch((byte*)(x + i + 2064));
            a += Vector256.Load(x + i);
            b += Vector256.Load(x + i + 8);
            c += Vector256.Load(x + i + 16);
            d += Vector256.Load(x + i + 24);
        }
        return Vector256.Sum(a + b + c + d);
    }
}
