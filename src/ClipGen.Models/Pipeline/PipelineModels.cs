using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Kernels;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Pipeline;

/// <summary>
/// The three models of a pipeline. Files are opened and checked at once, so that a bad one is told before minutes of work; weights are
/// read when they are first needed, so that the first code comes early and the GPT's memory is free again when pictures are painted.
/// </summary>
public sealed class PipelineModels : IDisposable
{
    private readonly Func<ClipModel> loadClip;
    private readonly Func<GptModel> loadGpt;
    private readonly Func<VqGanModel> loadVqGan;
    private ClipModel? clip;
    private GptModel? gpt;
    private VqGanModel? vqgan;
    private GptConfig? gptConfig;

    /// <summary>Models that are loaded by the given functions when first used.</summary>
    public PipelineModels(Func<ClipModel> clip, Func<GptModel> gpt, Func<VqGanModel> vqgan) => (loadClip, loadGpt, loadVqGan) = (clip, gpt, vqgan);

    /// <summary>Models in checkpoint files.</summary>
    /// <param name="device">Where to load them.</param>
    /// <param name="clipPath">A CLIP model.</param>
    /// <param name="gptPath">A GPT.</param>
    /// <param name="vqganPath">A VQ-GAN.</param>
    /// <param name="gptType">How the numbers of the GPT's matrices are held.</param>
    /// <exception cref="CheckpointException">A file can't be read.</exception>
    /// <exception cref="WeightException">A file holds another model.</exception>
    public static PipelineModels FromFiles(Device device, string clipPath, string gptPath, string vqganPath, PackedType gptType = PackedType.Float32)
    {
        using var span = Profiler.Enter("check files");
        // Checked now, in names, shapes and fit to each other, and read when needed.
        using var clip = CheckpointWeights.Open(clipPath, ModelKind.Clip);
        using var gpt = CheckpointWeights.Open(gptPath, ModelKind.Gpt);
        using var vqgan = CheckpointWeights.Open(vqganPath, ModelKind.VqGan);
        var clipConfig = ClipModel.Check(device, clip);
        var gptConfig = GptModel.Check(device, gpt);
        var codes = VqGanModel.Check(device, vqgan);
        if (gptConfig.ConditionSize != clipConfig.EmbeddingSize)
            throw new WeightException($"{gptPath}: this GPT takes embeddings of {gptConfig.ConditionSize} values, {clipPath} makes {clipConfig.EmbeddingSize}; give files that belong together");
        if (gptConfig.Vocabulary != codes)
            throw new WeightException($"{gptPath}: this GPT writes {gptConfig.Vocabulary} different codes, the codebook of {vqganPath} has {codes}; give files that belong together");
        if (Math.Sqrt(gptConfig.BlockSize) % 1 != 0)
            throw new WeightException($"{gptPath}: this GPT writes {gptConfig.BlockSize} codes per picture, which is not a square grid");
        return new PipelineModels(() => ModelFiles.LoadClip(device, clipPath), () => ModelFiles.LoadGpt(device, gptPath, type: gptType), () => ModelFiles.LoadVqGan(device, vqganPath)) { gptConfig = gptConfig };
    }

    /// <summary>CLIP, loaded on first use.</summary>
    public ClipModel Clip => clip ??= loadClip();

    /// <summary>The GPT's sizes and notes; known without loading it where it comes from a file.</summary>
    public GptConfig GptConfig => gptConfig ??= Gpt.Config;

    /// <summary>The GPT, loaded on first use.</summary>
    public GptModel Gpt => gpt ??= loadGpt();

    /// <summary>The VQ-GAN, loaded on first use.</summary>
    public VqGanModel VqGan => vqgan ??= loadVqGan();

    /// <summary>Frees the GPT; it is loaded again if it is used again.</summary>
    public void FreeGpt()
    {
        gpt?.Dispose();
        gpt = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        clip?.Dispose();
        vqgan?.Dispose();
        FreeGpt();
        (clip, vqgan) = (null, null);
    }
}

/// <summary>Models from checkpoint files.</summary>
public static class ModelFiles
{
    /// <summary>Loads a CLIP model.</summary>
    public static ClipModel LoadClip(Device device, string path, int? textHeads = null)
    {
        using var weights = CheckpointWeights.Open(path, ModelKind.Clip);
        return ClipModel.Load(device, weights, textHeads);
    }

    /// <summary>The tokenizer that a CLIP file brings along: that of the vocabulary stored in it, or null for CLIP's own, which has a file of its own.</summary>
    /// <exception cref="CheckpointException">The file can't be read, or its vocabulary is none.</exception>
    public static WordTokenizer? Tokenizer(string clipPath)
    {
        using var checkpoint = Checkpoint.Open(clipPath);
        if (ModelConfiguration.TextOf(checkpoint, ModelConfiguration.VocabularyKey) is not { } text) return null;
        try
        {
            return WordTokenizer.Parse(text);
        }
        catch (DataException e)
        {
            throw new CheckpointException(clipPath, $"'{ModelConfiguration.VocabularyKey}' is no vocabulary: {e.Message}", e);
        }
    }

    /// <summary>Loads a GPT.</summary>
    public static GptModel LoadGpt(Device device, string path, int? heads = null, PackedType type = PackedType.Float32)
    {
        using var weights = CheckpointWeights.Open(path, ModelKind.Gpt);
        return GptModel.Load(device, weights, heads, type: type);
    }

    /// <summary>Loads a VQ-GAN.</summary>
    public static VqGanModel LoadVqGan(Device device, string path)
    {
        using var weights = CheckpointWeights.Open(path, ModelKind.VqGan);
        return VqGanModel.Load(device, weights);
    }

    /// <summary>Loads VGG16 LPIPS.</summary>
    public static Lpips.LpipsModel LoadLpips(Device device, string path)
    {
        using var weights = CheckpointWeights.Open(path, ModelKind.Lpips);
        return Lpips.LpipsModel.Load(device, weights);
    }
}
