namespace ClipGen.Models;

/// <summary>The models that checkpoints hold.</summary>
public enum ModelKind
{
    /// <summary>Picture and text embeddings.</summary>
    Clip,

    /// <summary>Pictures to codes and back.</summary>
    VqGan,

    /// <summary>Embedding to codes.</summary>
    Gpt,

    /// <summary>Perceptual distance.</summary>
    Lpips,
}

/// <summary>Recognises models.</summary>
public static class ModelKinds
{
    /// <summary>For messages: "a VQ-GAN".</summary>
    public static string Describe(this ModelKind kind) => kind switch
    {
        ModelKind.Clip => "a CLIP model",
        ModelKind.VqGan => "a VQ-GAN",
        ModelKind.Gpt => "a GPT over picture codes",
        ModelKind.Lpips => "VGG16 LPIPS",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown model"),
    };

    /// <summary>The model that has such tensor names, or null. Several telling names are looked for, so that a file with one of them missing is still recognised and then reported in full.</summary>
    public static ModelKind? Recognise(IReadOnlyCollection<string> names)
    {
        bool Any(string prefix) => names.Any(name => name.StartsWith(prefix, StringComparison.Ordinal));
        if (Any("visual.") && (Any("token_embedding.") || Any("transformer.resblocks.") || Any("text_projection"))) return ModelKind.Clip;
        if (Any("encoder.") && Any("decoder.")) return ModelKind.VqGan;
        if (Any("blocks.") && (Any("tok_emb.") || Any("cond_proj."))) return ModelKind.Gpt;
        if (Any("net.slice") && Any("lin")) return ModelKind.Lpips;
        return null;
    }
}
