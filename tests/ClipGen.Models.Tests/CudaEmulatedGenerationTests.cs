using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;

namespace ClipGen.Models.Tests;

/// <summary>A sentence to pictures by the CUDA kernels, emulated on the host, against the CPU's.</summary>
public sealed class CudaEmulatedGenerationTests
{
    private static readonly WordTokenizer Words = new(ShapeCaptions.Words);

    [Fact]
    public void PicturesAndScoresAgreeWithTheCpu()
    {
        using var machine = new MachineLock();
        var (cpu, cuda) = (Run(Device.Cpu(1)), Run(Device.CudaEmulated()));
        // One seed gives one draw unless a random number falls within a rounding of a code's edge; these don't.
        Assert.Equal(cpu.Codes, cuda.Codes);
        Assert.True(cpu.Codes.SelectMany(codes => codes).Distinct().Count() > 4, "the model writes next to nothing but one code");
        foreach (var (expected, found) in cpu.Pictures.Zip(cuda.Pictures))
            // A level of 8 bits where a value lies within a rounding of the half.
            Assert.All(expected.Rgb.Zip(found.Rgb), pair => Assert.InRange(pair.Second - pair.First, -1, 1));
        // Cosines of 16 values behind two transformers: some dozens of roundings of 6e-8.
        Assert.All(cpu.Scores.Zip(cuda.Scores), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= 1e-5, $"{pair.First} on the CPU, {pair.Second} emulated"));
    }

    private static GenerationResult Run(Device device)
    {
        using var owned = device;
        var clip = new ClipConfig
        {
            EmbeddingSize = 16,
            Patches = 4,
            PatchSize = 8,
            VisionWidth = 32,
            VisionLayers = 1,
            VisionHeads = 2,
            ContextLength = ShapeCaptions.ContextLength,
            VocabularySize = Words.VocabularySize,
            TextWidth = 32,
            TextLayers = 1,
            TextHeads = 2,
        };
        var vqgan = new VqGanConfig { Channels = 8, Multipliers = [1, 1, 1], ResidualBlocks = [1], AttentionLevels = [], CodeSize = 4, Codes = 16, DiscriminatorChannels = 8 };
        var gpt = new GptConfig { Vocabulary = 16, Layers = 1, Width = 32, Heads = 2, BlockSize = 16, ConditionSize = 16 };
        using var models = new PipelineModels(
            () => ClipModel.Load(device, new InitialWeights(ModelKind.Clip, StateDicts.Clip(clip), 1, new Dictionary<string, int> { ["vision_heads"] = 2, ["text_heads"] = 2 }), null, WeightForm.Packed),
            () => GptModel.Load(device, new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(gpt), 2), gpt.Heads, WeightForm.Packed),
            () => VqGanModel.Load(device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(vqgan), 3, new Dictionary<string, int> { ["groups"] = 4 }), WeightForm.Packed));
        return new TextToImage(models, Words).Generate("a small red circle", new GenerationSettings { Candidates = 3, Keep = 2, Batch = 2, Seed = 5 }, new RecordedProgress(), TestContext.Current.CancellationToken);
    }
}
