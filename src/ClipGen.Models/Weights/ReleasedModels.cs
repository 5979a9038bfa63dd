using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;

namespace ClipGen.Models;

/// <summary>Names and shapes of the state dicts of CLIP-GEN's released files, in their order.</summary>
public static class ReleasedModels
{
    /// <summary>CLIP ViT-B/32 (<c>clip_vit_b32.pt</c>).</summary>
    public static IReadOnlyList<TensorShape> ClipVitB32 { get; } = StateDicts.Clip(new ClipConfig
    {
        EmbeddingSize = 512,
        PatchSize = 32,
        Patches = 49,
        VisionWidth = 768,
        VisionLayers = 12,
        VisionHeads = 12,
        ContextLength = 77,
        VocabularySize = 49408,
        TextWidth = 512,
        TextLayers = 12,
        TextHeads = 8,
    });

    /// <summary>VQ-GAN, f = 16, 16384 codes of 256 (<c>vqgan_coco.pt</c>, under <c>model</c>).</summary>
    public static IReadOnlyList<TensorShape> VqGanCoco { get; } = StateDicts.VqGan(new VqGanConfig());

    /// <summary>GPT with 24 layers of 1024 (<c>gpt_coco.pt</c>, under <c>model</c>).</summary>
    public static IReadOnlyList<TensorShape> GptMedium { get; } = StateDicts.Gpt(GptConfig.Medium);

    /// <summary>GPT with 36 layers of 1280.</summary>
    public static IReadOnlyList<TensorShape> GptLarge { get; } = StateDicts.Gpt(GptConfig.Large);

    /// <summary>VGG16 LPIPS (<c>vgg16_lpips.pt</c>).</summary>
    public static IReadOnlyList<TensorShape> Vgg16Lpips { get; } = StateDicts.Lpips();
}
