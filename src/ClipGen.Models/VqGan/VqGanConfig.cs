namespace ClipGen.Models.VqGan;

/// <summary>Sizes of a new VQ-GAN; the defaults are those of the released one (f = 16). A loaded model's are read off its weights.</summary>
public sealed record VqGanConfig
{
    /// <summary>Channels of the outermost level; a multiple of 32, the groups of a group norm.</summary>
    public int Channels { get; init; } = 128;

    /// <summary>Factor on the channels per level, outermost first; there is a halving between two levels.</summary>
    public IReadOnlyList<int> Multipliers { get; init; } = [1, 1, 2, 2, 4];

    /// <summary>Residual blocks per level of the encoder, outermost first; a single number holds for all levels. The decoder has one more in each.</summary>
    public IReadOnlyList<int> ResidualBlocks { get; init; } = [2];

    /// <summary>Residual blocks of a level of the encoder.</summary>
    public int BlocksOf(int level) => ResidualBlocks.Count == 1 ? ResidualBlocks[0] : ResidualBlocks[level];

    /// <summary>Levels with self-attention behind each residual block, counted from the outermost.</summary>
    public IReadOnlyList<int> AttentionLevels { get; init; } = [4];

    /// <summary>Channels of a code.</summary>
    public int CodeSize { get; init; } = 256;

    /// <summary>Entries of the codebook.</summary>
    public int Codes { get; init; } = 16384;

    /// <summary>Channels of the discriminator's first layer.</summary>
    public int DiscriminatorChannels { get; init; } = 64;

    /// <summary>Pixels per code along one side.</summary>
    public int Factor => 1 << (Multipliers.Count - 1);
}
