using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace ClipGen.Kernels;

/// <summary>
/// <see cref="Philox"/> for four neighbouring blocks at once: sixteen neighbouring indices. Every word has a 64-bit lane of its own, whose upper half may hold
/// anything, since the widening multiplication reads lower halves only: a round then needs no masks.
/// </summary>
/// <remarks>Integers, so the words are the same however wide the processor's vectors are; one width serves all levels.</remarks>
internal static class PhiloxKernel
{
    /// <summary>Indices of one call.</summary>
    public const int Indices = 16;

    /// <summary>Random bits of indices 4·block … 4·block + 7 (<paramref name="low"/>) and of the next eight (<paramref name="high"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Bits(in RandomKey key, ulong block, out Vector256<uint> low, out Vector256<uint> high)
    {
        var x = Vector256.Create(block) + Vector256.Create(0UL, 1, 2, 3);
        var y = x >>> 32;
        var z = Vector256.Create((ulong)key.Step);
        var w = Vector256.Create((ulong)key.Purpose);
        var key0 = Vector256.Create(key.Seed);
        var key1 = Vector256.Create(key.Seed >> 32);
        for (var round = 0; round < 10; round++)
        {
            var first = Product(x, Vector256.Create(0xD2511F53UL));
            var second = Product(z, Vector256.Create(0xCD9E8D57UL));
            x = (second >>> 32) ^ y ^ key0;
            y = second;
            z = (first >>> 32) ^ w ^ key1;
            w = first;
            key0 += Vector256.Create(0x9E3779B9UL);
            key1 += Vector256.Create(0xBB67AE85UL);
        }
        // Lane i of these is block i's first and second pair of words.
        var lower = Vector256.Create(0xFFFFFFFFUL);
        var xy = (x & lower) | (y << 32);
        var zw = (z & lower) | (w << 32);
        if (Avx2.IsSupported)
        {
            var even = Avx2.UnpackLow(xy, zw);
            var odd = Avx2.UnpackHigh(xy, zw);
            low = Vector256.Create(even.GetLower(), odd.GetLower()).AsUInt32();
            high = Vector256.Create(even.GetUpper(), odd.GetUpper()).AsUInt32();
            return;
        }
        low = Vector256.Create(xy[0], zw[0], xy[1], zw[1]).AsUInt32();
        high = Vector256.Create(xy[2], zw[2], xy[3], zw[3]).AsUInt32();
    }

    /// <summary>64-bit products of the lanes' lower halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Product(Vector256<ulong> a, Vector256<ulong> b) => Avx2.IsSupported
        ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32())
        : Vector256.Create(Product(a.GetLower(), b.GetLower()), Product(a.GetUpper(), b.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Product(Vector128<ulong> a, Vector128<ulong> b)
    {
        if (Sse2.IsSupported) return Sse2.Multiply(a.AsUInt32(), b.AsUInt32());
        if (AdvSimd.IsSupported) return AdvSimd.MultiplyWideningLower(AdvSimd.ExtractNarrowingLower(a), AdvSimd.ExtractNarrowingLower(b));
        return Vector128.Create((ulong)(uint)a[0] * (uint)b[0], (ulong)(uint)a[1] * (uint)b[1]);
    }
}
