using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Gpt;

/// <summary>Sizes of the GPT over picture codes.</summary>
public sealed record GptConfig
{
    /// <summary>Codes it chooses from: the VQ-GAN's codebook.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Transformer blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Channels.</summary>
    public required int Width { get; init; }

    /// <summary>Attention heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Positions: the condition and all codes but the last. It equals the number of codes of a picture.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Width of the CLIP embedding it is conditioned on.</summary>
    public required int ConditionSize { get; init; }

    /// <summary>Whether training sometimes left the embedding out (all zeros), so that it writes pictures without one too: what guidance leads away from. Not to be seen in the weights; a training notes it.</summary>
    public bool Unconditional { get; init; }

    /// <summary>Name of the note in a checkpoint.</summary>
    public const string UnconditionalOption = "unconditional";

    /// <summary>
    /// Whether codes of small probability are what pictures consist of: on an even background each place may begin an object, most do not, and a filter that keeps only the likely codes leaves the picture empty. Such a GPT is
    /// sampled from unfiltered unless told otherwise. Not to be seen in the weights; a training notes it.
    /// </summary>
    public bool RareCodesMatter { get; init; }

    /// <summary>Name of that note in a checkpoint.</summary>
    public const string RareCodesOption = "rare_codes_matter";

    /// <summary>Sampling keeps the k most likely codes, unless told otherwise; 0 for all.</summary>
    public int DefaultTopK => RareCodesMatter ? 0 : 500;

    /// <summary>Sampling keeps the most likely codes that hold this probability, unless told otherwise.</summary>
    public float DefaultTopP => RareCodesMatter ? 1 : 0.95f;

    /// <summary>How closely sampling follows the embedding, unless told otherwise: a GPT that has something to be led away from is led away from it.</summary>
    public float DefaultGuidance => Unconditional ? 2 : 1;

    /// <summary><c>gpt2_medium</c> over the released codes: 24 layers of 1024.</summary>
    public static GptConfig Medium { get; } = new() { Vocabulary = 16384, Layers = 24, Width = 1024, Heads = 16, BlockSize = 256, ConditionSize = 512 };

    /// <summary><c>gpt2_large</c>: 36 layers of 1280.</summary>
    public static GptConfig Large { get; } = Medium with { Layers = 36, Width = 1280, Heads = 20 };

    /// <summary>Reads all sizes off the weights' shapes; only the heads can't be seen there.</summary>
    /// <param name="weights">Loader at the model's top.</param>
    /// <param name="heads">Attention heads; null for Width / 64, which holds for gpt2_medium and gpt2_large.</param>
    /// <exception cref="WeightException">A telling tensor is missing.</exception>
    public static GptConfig Infer(WeightLoader weights, int? heads)
    {
        var table = weights.ShapeOf("tok_emb.weight", 2);
        return new GptConfig
        {
            Vocabulary = table[0],
            Width = table[1],
            Layers = weights.CountOf("blocks"),
            Heads = HeadCount.Of(table[1], heads ?? weights.Option("heads"), "the GPT"),
            BlockSize = weights.ShapeOf("pos_emb", 3)[1],
            ConditionSize = weights.ShapeOf("cond_proj.weight", 2)[1],
            Unconditional = weights.Option(UnconditionalOption) == 1,
            RareCodesMatter = weights.Option(RareCodesOption) == 1,
        };
    }
}
