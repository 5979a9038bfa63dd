using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Clip;

/// <summary>Sizes of a CLIP model (Radford et al. 2021, the Vision Transformer kind).</summary>
public sealed record ClipConfig
{
    /// <summary>Width of the shared embedding space.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>Patches of a picture; they form a square.</summary>
    public required int Patches { get; init; }

    /// <summary>Side of the square input picture in pixels.</summary>
    public int ImageSize => PatchSize * (int)Math.Round(Math.Sqrt(Math.Max(0, Patches)));

    /// <summary>Side of a patch in pixels.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Channels of the vision tower; its heads are 64 wide.</summary>
    public required int VisionWidth { get; init; }

    /// <summary>Blocks of the vision tower.</summary>
    public required int VisionLayers { get; init; }

    /// <summary>Heads of the vision tower.</summary>
    public required int VisionHeads { get; init; }

    /// <summary>Tokens of a text.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Token ids.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Channels of the text tower.</summary>
    public required int TextWidth { get; init; }

    /// <summary>Blocks of the text tower.</summary>
    public required int TextLayers { get; init; }

    /// <summary>Heads of the text tower.</summary>
    public required int TextHeads { get; init; }

    /// <summary>Reads all sizes off the weights' shapes; only the heads can't be seen there.</summary>
    /// <param name="weights">Loader at the model's top.</param>
    /// <param name="textHeads">Heads of the text tower; null for TextWidth / 64, which holds for all released models.</param>
    /// <exception cref="WeightException">A telling tensor is missing, or the shapes contradict each other.</exception>
    public static ClipConfig Infer(WeightLoader weights, int? textHeads)
    {
        var filter = weights.ShapeOf("visual.conv1.weight", 4);
        var positions = weights.ShapeOf("visual.positional_embedding", 2)[0];
        var text = weights.ShapeOf("positional_embedding", 2);
        var vocabulary = weights.ShapeOf("token_embedding.weight", 2)[0];
        var embedding = weights.ShapeOf("text_projection", 2)[1];
        // One position is the class token's; the rest form a square of patches.
        var side = (int)Math.Round(Math.Sqrt(Math.Max(0, positions - 1)));
        if (positions >= 0 && side * side + 1 != positions)
            throw new WeightException($"visual.positional_embedding has {positions} rows, expected one more than a square number");
        return new ClipConfig
        {
            EmbeddingSize = embedding,
            Patches = positions - 1,
            PatchSize = filter[3],
            VisionWidth = filter[0],
            VisionLayers = weights.CountOf("visual.transformer.resblocks"),
            VisionHeads = HeadCount.Of(filter[0], weights.Option("vision_heads"), "CLIP's vision tower"),
            ContextLength = text[0],
            VocabularySize = vocabulary,
            TextWidth = text[1],
            TextLayers = weights.CountOf("transformer.resblocks"),
            TextHeads = HeadCount.Of(text[1], textHeads ?? weights.Option("text_heads"), "CLIP's text tower"),
        };
    }
}
