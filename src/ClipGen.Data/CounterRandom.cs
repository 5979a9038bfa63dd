using ClipGen.Kernels;

namespace ClipGen.Data;

/// <summary>
/// A sequence of random numbers that is a pure function of a seed, a purpose and coordinates such as (epoch, step, slot): whoever asks for the
/// same place gets the same numbers, on any thread and in any order. Each coordinate is folded into a new 64-bit key with one block of
/// <see cref="Philox"/>; the numbers are then Philox words of that key. Not for several threads at once.
/// </summary>
public sealed class CounterRandom
{
    // The third counter word tells folding (the coordinate's place) from drawing.
    private const uint Drawing = uint.MaxValue;

    private readonly uint purpose;
    private readonly uint keyLow, keyHigh;
    private (uint X, uint Y, uint Z, uint W) block;
    private ulong drawn;

    /// <summary>The sequence at a place.</summary>
    /// <param name="seed">The user's seed.</param>
    /// <param name="purpose">A constant per use, so that two uses never share numbers.</param>
    /// <param name="coordinates">The place, for example split and index, or epoch, step and slot.</param>
    public CounterRandom(ulong seed, uint purpose, params ReadOnlySpan<long> coordinates)
    {
        this.purpose = purpose;
        (keyLow, keyHigh) = ((uint)seed, (uint)(seed >> 32));
        for (var i = 0; i < coordinates.Length; i++)
        {
            var (low, high) = ((uint)coordinates[i], (uint)(coordinates[i] >> 32));
            (keyLow, keyHigh, _, _) = Philox.Block(low, high, (uint)i, purpose, keyLow, keyHigh);
        }
    }

    /// <summary>The next 32 random bits.</summary>
    public uint NextBits()
    {
        if ((drawn & 3) == 0)
            block = Philox.Block((uint)(drawn >> 2), (uint)(drawn >> 34), Drawing, purpose, keyLow, keyHigh);
        return (drawn++ & 3) switch { 0 => block.X, 1 => block.Y, 2 => block.Z, _ => block.W };
    }

    /// <summary>The next 64 random bits: a seed for something else.</summary>
    public ulong NextKey() => NextBits() | (ulong)NextBits() << 32;

    /// <summary>A uniform number in [0, 1), a multiple of 2^-32.</summary>
    public double NextUniform() => NextBits() * (1.0 / (1L << 32));

    /// <summary>A uniform number in [<paramref name="from"/>, <paramref name="to"/>).</summary>
    public double NextBetween(double from, double to) => from + (to - from) * NextUniform();

    /// <summary>A uniform whole number from 0 to <paramref name="count"/> - 1; no two differ in probability by more than 2^-32.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The count is below 1.</exception>
    public int NextBelow(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return (int)((ulong)NextBits() * (ulong)count >> 32);
    }

    /// <summary>True with probability <paramref name="probability"/>.</summary>
    public bool NextChance(double probability) => NextUniform() < probability;

    /// <summary>One of some values, each with the same probability.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are none.</exception>
    public T NextOf<T>(IReadOnlyList<T> values) => values[NextBelow(values.Count)];
}
