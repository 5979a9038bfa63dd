namespace ClipGen.Kernels;

/// <summary>Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): a pure function of its key, equal on every device, thread count and batch split.</summary>
public interface IRandom
{
    /// <summary><c>output[i]</c> = a uniform number in [0, 1) with 24 random bits that depends on (seed, purpose, step, firstIndex + i) alone.</summary>
    void FillUniform(in RandomKey key, long firstIndex, View<float> output);
}

/// <summary>What a random number is for.</summary>
/// <param name="Seed">The user's seed.</param>
/// <param name="Purpose">A constant per use (sampling, dropout, crops), so that two uses never share numbers.</param>
/// <param name="Step">Position in the sequence of steps.</param>
public readonly record struct RandomKey(ulong Seed, uint Purpose, uint Step);
