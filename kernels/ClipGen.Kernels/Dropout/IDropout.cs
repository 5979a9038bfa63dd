namespace ClipGen.Kernels;

/// <summary>Dropout (Srivastava et al. 2014), inverted: what stays is enlarged, so that nothing needs to be done at inference.</summary>
public interface IDropout
{
    /// <summary><c>y[i] = x[i] / (1 − p)</c> where the mask keeps element i, else 0. Its own gradient: the same call on dy. The output may be the input.</summary>
    void Dropout(in DropoutMask mask, View<float> input, View<float> output);
}

/// <summary>Which elements a dropout keeps: element i stays when the uniform number of (key, i) is at least the probability. A function of its values alone, so the gradient draws the same mask again.</summary>
/// <param name="Probability">Share that is dropped, in [0, 1); 0 keeps all.</param>
/// <param name="Key">Names the random numbers; every use in a step has its own.</param>
public readonly record struct DropoutMask(float Probability, RandomKey Key)
{
    /// <summary>Factor of what stays.</summary>
    public float Scale => 1 / (1 - Probability);

    /// <summary>What element <paramref name="index"/> is multiplied by: <see cref="Scale"/> or 0.</summary>
    public float Factor(long index) => Probability == 0 || Keeps(Philox.Bits(Key, index)) ? Scale : 0;

    /// <summary>Whether an element of these random bits stays.</summary>
    internal bool Keeps(uint bits) => Philox.Uniform(bits) >= Probability;

    /// <exception cref="ArgumentException">The probability is outside its range.</exception>
    internal void Require([System.Runtime.CompilerServices.CallerMemberName] string op = "") => Arguments.Require(Probability is >= 0 and < 1, $"probability {Probability}, expected at least 0 and less than 1", op);

    /// <summary>Keeps everything.</summary>
    public static DropoutMask None => default;
}
