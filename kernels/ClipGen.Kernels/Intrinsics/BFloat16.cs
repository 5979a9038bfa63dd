using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

/// <summary>The upper half of a float: its range, and eight bits of its digits. Two are packed into a word, the first in the lower half.</summary>
internal static class BFloat16
{
    /// <summary>The nearest bf16 number, of two equally near ones the even one; NaN stays NaN, and what is beyond the largest becomes an infinity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Round(float x)
    {
        var bits = Interop.FloatAsInt(x);
        // A NaN whose digits are all in the lower half would round to an infinity.
        if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return bits >> 16 | 0x40u;
        return bits + 0x7FFFu + (bits >> 16 & 1u) >> 16;
    }

    /// <summary>Two numbers in a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Round(low) | Round(high) << 16;

    /// <summary>The first number of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Low(uint pair) => Interop.IntAsFloat(pair << 16);

    /// <summary>The second number of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float High(uint pair) => Interop.IntAsFloat(pair & 0xFFFF0000u);
}
