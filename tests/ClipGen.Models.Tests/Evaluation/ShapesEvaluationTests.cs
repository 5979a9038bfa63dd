using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;
using ClipGen.Testing;

namespace ClipGen.Models.Tests.Evaluation;

/// <summary>The evaluation on a model of random weights: what it measures and of which pictures, not how good they are.</summary>
public sealed class ShapesEvaluationTests : IDisposable
{
    private readonly Device device = Device.Cpu(2);

    public void Dispose()
    {
        var live = device.Memory.LiveBlocks;
        device.Dispose();
        Assert.Equal(0, live);
    }

    [Fact]
    public void TheBestOfThePicturesThatGenerationMakes()
    {
        using var shapes = new ShapesPipeline(device);
        var progress = new RecordedProgress();
        var settings = new GenerationSettings { Candidates = 5, Keep = 1, Batch = 7, Seed = 4 };
        var report = Evaluation(shapes).Run(3, settings, progress, TestContext.Current.CancellationToken);
        Assert.Equal([(false, 1), (false, 2), (true, 1), (true, 2)], report.Groups.Select(group => (group.HeldOut, group.Objects)));
        Assert.Equal(["seen, one object", "seen, two objects", "held out, one object", "held out, two objects"], report.Groups.Select(group => group.Name));
        foreach (var group in report.Groups)
        {
            Assert.Equal((3, 3, 3, 3), (group.Best.All.Count, group.First.All.Count, group.Any.Count, group.Samples.Count));
            Assert.Equal((3, group.Objects == 1 ? 0 : 3), (group.FromPicture.All.Count, group.FromPicture.Relation.Count));
            Assert.True(group.Any.Right >= Math.Max(group.Best.All.Right, group.First.All.Right));
            Assert.Equal(group.Objects == 1 ? 0 : 3, group.Best.Relation.Count);
            Assert.All(group.Samples, sample => Assert.Equal(group.Objects, sample.Prompt.Scene.Objects.Count));
            Assert.All(group.Samples, sample => Assert.Equal(group.HeldOut, sample.Prompt.Scene.Objects.Any(o => ShapesWorld.IsHeldOut(o.Pair))));
        }

        // The first prompt of the first group has the random streams of a generation of the same seed.
        var sample = report.Groups[0].Samples[0];
        var made = new TextToImage(shapes.Models, shapes.Tokenizer).Generate(sample.Prompt.Caption, settings, new RecordedProgress(), TestContext.Current.CancellationToken);
        Assert.Equal(made.Pictures[made.Order[0]].Rgb, sample.Picture.Rgb);
        // Both are cosines of unit vectors of 16 numbers, summed in single and in double precision.
        Assert.Equal(made.Scores[made.Order[0]], sample.Score, 1e-6f);
        Assert.NotEqual(0, made.Order[0]);

        Assert.Equal(new Proportion(20, 20), report.Detector);
        Assert.Equal(8, report.Gap.Pairs);
        Assert.InRange(report.Gap.Matching, -1, 1);
        Assert.Equal(6, report.Kept.Count);
        Assert.Equal(8, report.HardNegatives.OneObject.Count + report.HardNegatives.TwoObjects.Count);
        Assert.Equal(report.HardNegatives.TwoObjects.Count, report.HardNegatives.Arrangements.Count);
        Assert.Equal((6, TinyShapesModel.Codes), (report.Reconstruction.Pictures, report.Reconstruction.Codes));
        Assert.InRange(report.Reconstruction.CodesUsed, 1, TinyShapesModel.Codes);
        Assert.Equal([("detector", 20L, 20L), ("prompts", 72L, 72L), ("embeddings", 8L, 8L), ("hard negatives", 8L, 8L), ("reconstructions", 6L, 6L)], progress.Stages);
    }

    [Fact]
    public void NothingDependsOnTheBatchOrOnHowManyPromptsFollow()
    {
        using var shapes = new ShapesPipeline(device);
        ShapesReport Run(int prompts, int batch, ulong seed = 4) =>
            Evaluation(shapes).Run(prompts, new GenerationSettings { Candidates = 3, Keep = 1, Batch = batch, Seed = seed }, new RecordedProgress(), TestContext.Current.CancellationToken);
        ShapesReport small = Run(2, 4), large = Run(3, 64), other = Run(2, 64, 5);
        for (var group = 0; group < 4; group++)
        {
            Assert.Equal(Pixels(small, group), Pixels(large, group).Take(2));
            Assert.NotEqual(Pixels(small, group), Pixels(other, group));
            Assert.Equal(small.Groups[group].Samples[0].Score, large.Groups[group].Samples[0].Score);
        }
        // Groups do not share random numbers, and prompts of a group do not.
        Assert.Equal(12, large.Groups.SelectMany(group => group.Samples).Select(sample => Convert.ToHexString(sample.Picture.Rgb)).Distinct().Count());

        static IEnumerable<byte[]> Pixels(ShapesReport report, int group) => report.Groups[group].Samples.Select(sample => sample.Picture.Rgb);
    }

    [Fact]
    public void WhatIsJudgedIsWhatTheDetectorSees()
    {
        using var shapes = new ShapesPipeline(device);
        // A detector that reads scenes of the renderer, and in the model's noise always the same: a small red circle on white.
        var rendered = Enumerable.Range(0, 20).Select(n => Convert.ToHexString(ShapesWorld.Picture(0, n % 2 == 0 ? ShapesSplit.Validation : ShapesSplit.HeldOut, (1L << 40) + n).Rgb)).ToHashSet();
        var circle = new DetectedScene(BackgroundColor.White, [new DetectedObject(ShapeKind.Circle, ShapeColor.Red, ShapeSize.Small, 32, 32, 16, 1)]);
        var evaluation = new ShapesEvaluation(shapes.Models, shapes.Tokenizer)
        {
            Detector = picture => rendered.Contains(Convert.ToHexString(picture.Rgb)) ? ShapeDetector.Read(picture) : circle,
            DetectorScenes = 20,
            GapScenes = 2,
            ReconstructedScenes = 1,
            Samples = 1,
        };
        var report = evaluation.Run(40, new GenerationSettings { Candidates = 1, Keep = 1, Batch = 64 }, new RecordedProgress(), TestContext.Current.CancellationToken);
        foreach (var group in report.Groups)
        {
            var asked = ShapePrompts.Make(0, group.HeldOut, group.Objects, 40);
            Assert.Single(group.Samples);
            Assert.Equal(group.First, group.Best);
            Assert.Equal(group.First.All, group.Any);
            // What is asked for is the same, so a detector that always sees the same says the same.
            Assert.Equal(group.First, group.FromPicture);
            int One(Func<ShapeObject, bool> right) => asked.Count(prompt => prompt.Scene.Objects is [var only] && right(only));
            Assert.Equal(new Proportion(One(o => o.Kind == ShapeKind.Circle), 40), group.Best.Shape);
            Assert.Equal(new Proportion(One(o => o.Color == ShapeColor.Red), 40), group.Best.Color);
            Assert.Equal(new Proportion(One(o => o.Size == ShapeSize.Small), 40), group.Best.Size);
            Assert.Equal(asked.Count(prompt => prompt.Scene.Background.Color == BackgroundColor.White), group.Best.Background.Right);
            Assert.Equal(0, group.Best.Relation.Right);
        }
        Assert.True(report.Groups[0].Best.Shape.Right > 0);
    }

    [Fact]
    public void ADetectorThatCannotReadIsNotTrusted()
    {
        using var shapes = new ShapesPipeline(device);
        var blind = new ShapesEvaluation(shapes.Models, shapes.Tokenizer) { Detector = _ => new DetectedScene(BackgroundColor.White, []), DetectorScenes = 20 };
        var error = Assert.Throws<EvaluationException>(() => blind.Run(1, new GenerationSettings { Candidates = 1, Keep = 1 }, new RecordedProgress(), TestContext.Current.CancellationToken));
        Assert.Contains("0 of 20", error.Message);
        // One scene in fifty is too many to misread.
        var calls = 0;
        var careless = new ShapesEvaluation(shapes.Models, shapes.Tokenizer) { Detector = picture => calls++ == 7 ? new DetectedScene(BackgroundColor.White, []) : ShapeDetector.Read(picture), DetectorScenes = 50 };
        Assert.Contains("49 of 50", Assert.Throws<EvaluationException>(() => careless.Run(1, new GenerationSettings { Candidates = 1, Keep = 1 }, new RecordedProgress(), TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public void ModelsOfAnotherWorldAreRefused()
    {
        using var models = PipelineModels.FromFiles(device, RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"));
        var words = new WordTokenizer(ShapeCaptions.Words);
        GenerationSettings settings = new() { Candidates = 1, Keep = 1 };
        Assert.Contains("16 x 16", Assert.Throws<EvaluationException>(() => new ShapesEvaluation(models, words).Run(1, settings, new RecordedProgress(), TestContext.Current.CancellationToken)).Message);
        using var shapes = new ShapesPipeline(device);
        Assert.Contains("above", Assert.Throws<EvaluationException>(() => new ShapesEvaluation(shapes.Models, new WordTokenizer(["red"])).Run(1, settings, new RecordedProgress(), TestContext.Current.CancellationToken)).Message);
        Assert.Throws<GenerationException>(() => Evaluation(shapes).Run(0, settings, new RecordedProgress(), TestContext.Current.CancellationToken));
        Assert.Throws<GenerationException>(() => Evaluation(shapes).Run(1, settings with { Candidates = 1 << 17 }, new RecordedProgress(), TestContext.Current.CancellationToken));
    }

    private static ShapesEvaluation Evaluation(ShapesPipeline shapes) => new(shapes.Models, shapes.Tokenizer) { DetectorScenes = 20, GapScenes = 8, ReconstructedScenes = 6 };
}
