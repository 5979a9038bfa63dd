using System.Numerics;
using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>
/// Division by a number that a kernel is given, as a multiplication and a shift (Granlund and Montgomery 1994, "Division by invariant integers using multiplication"): a card has no instruction that divides whole
/// numbers. With s = ⌈log₂ d⌉ and m = ⌈2³¹⁺ˢ / d⌉, ⌊n / d⌋ = ⌊n · m / 2³¹⁺ˢ⌋ for every n from 0 to 2³¹ − 1.
/// </summary>
internal readonly struct QuickDivision
{
    private readonly uint multiplier;
    private readonly int shift;

    /// <summary>Divides by <paramref name="divisor"/>, 1 at least.</summary>
    public QuickDivision(int divisor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(divisor, 1);
        Divisor = divisor;
        shift = 31 + (32 - BitOperations.LeadingZeroCount((uint)divisor - 1));
        multiplier = (uint)(((1UL << shift) + (ulong)divisor - 1) / (ulong)divisor);
    }

    /// <summary>What is divided by.</summary>
    public readonly int Divisor;

    /// <summary>⌊number / divisor⌋ of a number that is not negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Of(int number) => (int)((ulong)(uint)number * multiplier >> shift);
}
