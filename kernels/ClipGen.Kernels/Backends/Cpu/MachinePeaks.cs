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
        var chains = Fma(level, 1);
        var sink = new float[threads * 16];
        var flops = 2.0 * FmaSteps * 12 * width * threads / Best(() => pool.For(threads, part => sink[part * 16] = Fma(level, FmaSteps)));

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

    private static float Fma(SimdLevel level, int steps) => level switch
    {
        SimdLevel.Avx512 => Fma<Simd512, Vector512<float>>(steps),
        SimdLevel.Avx2 => Fma<Simd256, Vector256<float>>(steps),
        _ => Fma<Simd128, Vector128<float>>(steps),
    };

    // Twelve independent chains: a multiply-add takes four or five cycles and two start in each.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Fma<S, V>(int steps) where S : struct, ISimd<V> where V : struct
    {
        V a = S.Zero, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a, x = S.Broadcast(0.5f), y = S.Broadcast(1);
        for (var n = 0; n < steps; n++)
        {
            a = S.MultiplyAdd(a, x, y);
            b = S.MultiplyAdd(b, x, y);
            c = S.MultiplyAdd(c, x, y);
            d = S.MultiplyAdd(d, x, y);
            e = S.MultiplyAdd(e, x, y);
            f = S.MultiplyAdd(f, x, y);
            g = S.MultiplyAdd(g, x, y);
            h = S.MultiplyAdd(h, x, y);
            i = S.MultiplyAdd(i, x, y);
            j = S.MultiplyAdd(j, x, y);
            k = S.MultiplyAdd(k, x, y);
            l = S.MultiplyAdd(l, x, y);
        }
        return S.Sum(S.Add(S.Add(S.Add(a, b), S.Add(c, d)), S.Add(S.Add(S.Add(e, f), S.Add(g, h)), S.Add(S.Add(i, j), S.Add(k, l)))));
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
