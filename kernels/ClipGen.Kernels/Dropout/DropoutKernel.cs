using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Masks from whole blocks of random numbers. One body for all levels: what is drawn are integers, and what is computed is one product per element.</summary>
internal static unsafe class DropoutKernel
{
    /// <summary>Floats of the buffer that <see cref="Factors"/> needs for <paramref name="count"/> elements: the first may be the last of its block of four, and sixteen are drawn at once.</summary>
    public static int FactorFloats(int count) => count + 3 + PhiloxKernel.Indices;

    /// <summary><c>y[i] = keep(first + i) ? x[i] · scale : 0</c>; <paramref name="first"/> is a multiple of four, y may be x.</summary>
    public static void Apply(in DropoutMask mask, float* x, long first, int count, float* y)
    {
        var block = (ulong)first >> 2;
        var limit = Vector256.Create(Limit(mask));
        var scale = Vector256.Create(mask.Scale);
        var i = 0;
        for (; i + PhiloxKernel.Indices <= count; i += PhiloxKernel.Indices, block += 4)
        {
            PhiloxKernel.Bits(mask.Key, block, out var low, out var high);
            (Vector256.Load(x + i) * scale & Vector256.GreaterThanOrEqual(low, limit).AsSingle()).Store(y + i);
            (Vector256.Load(x + i + 8) * scale & Vector256.GreaterThanOrEqual(high, limit).AsSingle()).Store(y + i + 8);
        }
        if (i == count) return;
        var kept = stackalloc float[PhiloxKernel.Indices];
        Draw(mask.Key, block, limit, Vector256<float>.AllBitsSet, kept);
        for (var j = 0; i + j < count; j++) y[i + j] = BitConverter.SingleToUInt32Bits(kept[j]) != 0 ? x[i + j] * mask.Scale : 0;
    }

    /// <summary>
    /// The factors, 0 or the scale, of elements <paramref name="first"/> … <paramref name="first"/> + <paramref name="count"/> − 1. They lie in the buffer
    /// from the returned address on, since whole blocks are drawn.
    /// </summary>
    public static float* Factors(in DropoutMask mask, long first, int count, float* buffer)
    {
        var block = (ulong)first >> 2;
        var before = (int)(first & 3);
        var limit = Vector256.Create(Limit(mask));
        var scale = Vector256.Create(mask.Scale);
        for (var i = 0; i < before + count; i += PhiloxKernel.Indices, block += 4) Draw(mask.Key, block, limit, scale, buffer + i);
        return buffer + before;
    }

    /// <summary>Sixteen elements: <paramref name="kept"/> where the random bits reach the limit, else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Draw(in RandomKey key, ulong block, Vector256<uint> limit, Vector256<float> kept, float* destination)
    {
        PhiloxKernel.Bits(key, block, out var low, out var high);
        (Vector256.GreaterThanOrEqual(low, limit).AsSingle() & kept).Store(destination);
        (Vector256.GreaterThanOrEqual(high, limit).AsSingle() & kept).Store(destination + 8);
    }

    /// <summary>
    /// Bits from here on give uniform numbers of at least the probability: the number is an integer, bits / 256, times 2⁻²⁴, and the probability times 2²⁴ is exact,
    /// so comparing with its ceiling decides as comparing the numbers does.
    /// </summary>
    private static uint Limit(in DropoutMask mask) => (uint)MathF.Ceiling(mask.Probability * (1 << 24)) << 8;
}
