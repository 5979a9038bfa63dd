using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;
using ClipGen.Testing;

namespace ClipGen.Models.Tests.Evaluation;

/// <summary>The model that comes with the repository does what it is there for. The figures of the whole evaluation are in pretrained/README.md; this is a small one with room for chance.</summary>
public sealed class ShippedModelTests
{
    private static readonly string Folder = Path.Combine(RepositoryPaths.Root, "pretrained");

    [Fact]
    public void ItIsSmall()
    {
        string[] files = ["shapes-clip.safetensors", "shapes-gpt.safetensors", "shapes-vqgan.safetensors"];
        Assert.InRange(files.Sum(name => new FileInfo(Path.Combine(Folder, name)).Length), 1, 16_000_000);
    }

    [Fact]
    public void PicturesShowWhatSentencesAskFor()
    {
        using var device = Device.Cpu();
        var clip = Path.Combine(Folder, "shapes-clip.safetensors");
        using var models = PipelineModels.FromFiles(device, clip, Path.Combine(Folder, "shapes-gpt.safetensors"), Path.Combine(Folder, "shapes-vqgan.safetensors"));
        var evaluation = new ShapesEvaluation(models, ModelFiles.Tokenizer(clip)!) { DetectorScenes = 100, GapScenes = 64, ReconstructedScenes = 32, Samples = 0 };
        var report = evaluation.Run(12, new GenerationSettings { Candidates = 8, Batch = 96, Seed = 3 }, new RecordedProgress(), TestContext.Current.CancellationToken);

        // Chance is one in 128 for one object (64 pairs in two sizes). Results differ in their last bits between instruction sets, which may turn a draw, so no exact counts: the bounds are three deviations below what the whole evaluation found.
        // Two objects are rarely right as a whole; that is said in pretrained/README.md, and not hidden by a test that asks for nothing.
        Assert.True(report.Groups[0].Best.All.Right >= 5, $"{report.Groups[0].Name}: {report.Groups[0].Best.All.Right} of 12 prompts answered rightly");
        Assert.True(report.Groups[2].Best.All.Right >= 2, $"{report.Groups[2].Name}: {report.Groups[2].Best.All.Right} of 12 prompts answered rightly");
        Assert.All(report.Groups.Where(group => group.Objects == 1), group => Assert.True(group.Best.Color.Right >= 10 && group.Best.Background.Right >= 10, $"{group.Name}: {group.Best.Color.Right} colours and {group.Best.Background.Right} backgrounds of 12"));
        Assert.True(report.Reconstruction.Psnr >= 27, $"reconstructions have {report.Reconstruction.Psnr:F1} dB");
        Assert.True(report.Gap.Matching >= 0.8, $"texts and their pictures have a cosine of {report.Gap.Matching:F2}");
    }
}
