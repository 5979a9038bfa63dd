using ClipGen.Kernels;

namespace ClipGen.Models.Gpt;

/// <summary>The dropout masks of one training step. Every place in the network has its own random numbers, a function of (seed, step, place), so that a resumed or recomputed step draws the same.</summary>
/// <param name="Probability">Share that is dropped: 0.1 in the reference.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Step">Number of the step.</param>
public readonly record struct GptDropout(float Probability, ulong Seed, uint Step)
{
    // Purposes of random numbers are 32 bits: the upper half says "dropout", the lower half which one.
    private const uint Purpose = 0xD0 << 16;

    /// <summary>Places in a block.</summary>
    public enum Use : uint
    {
        /// <summary>The attention weights.</summary>
        Attention,

        /// <summary>The attention's projected output.</summary>
        BehindAttention,

        /// <summary>Between the two layers of the feed-forward part.</summary>
        InFeedForward,

        /// <summary>The feed-forward part's output.</summary>
        BehindFeedForward,
    }

    /// <summary>The mask behind the sum of code and position embeddings.</summary>
    public DropoutMask Embedding => At(0);

    /// <summary>The mask of a place in a block.</summary>
    public DropoutMask Mask(int layer, Use use) => At(1 + 4 * (uint)layer + (uint)use);

    private DropoutMask At(uint place) => Probability == 0 ? DropoutMask.None : new DropoutMask(Probability, new RandomKey(Seed, Purpose + place, Step));
}
