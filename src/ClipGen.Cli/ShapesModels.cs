using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;

namespace ClipGen.Cli;

/// <summary>Sizes of the small models of the synthetic world: what <c>train --ds shapes</c> makes unless told otherwise, and what the benchmarks train.</summary>
internal static class ShapesModels
{
    /// <summary>Groups of the VQ-GAN's norms.</summary>
    public const int VqGanGroups = 1;

    /// <summary>64 pixels to 8 x 8 codes.</summary>
    public static VqGanConfig VqGan { get; } = new() { Channels = 32, Multipliers = [1, 2, 2, 4], ResidualBlocks = [0, 1, 1, 1], AttentionLevels = [], Codes = 2048, CodeSize = 8, DiscriminatorChannels = 16 };

    /// <summary>64 patches, and sentences of whole words.</summary>
    public static ClipConfig Clip { get; } = new()
    {
        EmbeddingSize = 128,
        PatchSize = 8,
        Patches = 64,
        VisionWidth = 128,
        VisionLayers = 4,
        VisionHeads = 4,
        ContextLength = ShapeCaptions.ContextLength,
        VocabularySize = new WordTokenizer(ShapeCaptions.Words).VocabularySize,
        TextWidth = 128,
        TextLayers = 3,
        TextHeads = 4,
    };

    /// <summary>From an embedding of <see cref="Clip"/> to codes of <see cref="VqGan"/>.</summary>
    public static GptConfig Gpt { get; } = GptConfig.Medium with { Layers = 6, Width = 160, Heads = 5, Vocabulary = VqGan.Codes, BlockSize = 64, ConditionSize = Clip.EmbeddingSize };
}
