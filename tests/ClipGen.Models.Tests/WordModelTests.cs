using ClipGen.Models.Pipeline;
using ClipGen.Tensors;

namespace ClipGen.Models.Tests;

/// <summary>Generation with a model of whole words and small pictures.</summary>
public sealed class WordModelTests : IDisposable
{
    private readonly Device device = Device.Cpu(2);

    public void Dispose()
    {
        var live = device.Memory.LiveBlocks;
        device.Dispose();
        Assert.Equal(0, live);
    }

    [Fact]
    public void PicturesDecodedTogetherAreTheSameAsOneByOne()
    {
        using var shapes = new ShapesPipeline(device);
        var pipeline = new TextToImage(shapes.Models, shapes.Tokenizer);
        GenerationResult Run(int batch, RecordedProgress progress) =>
            pipeline.Generate("a red circle", new GenerationSettings { Candidates = 21, Batch = batch, Seed = 3 }, progress, TestContext.Current.CancellationToken);
        RecordedProgress first = new(), second = new();
        GenerationResult oneByOne = Run(1, first), together = Run(64, second);
        Assert.Equal(oneByOne.Codes, together.Codes);
        Assert.Equal(oneByOne.Scores, together.Scores);
        Assert.Equal(oneByOne.Pictures.Select(picture => picture.Rgb), together.Pictures.Select(picture => picture.Rgb));
        Assert.True(oneByOne.Scores.Distinct().Count() > 10);
        // Sixteen pictures of 64 x 64 are one of 256 x 256.
        Assert.Equal(16, PictureCodec.DecodedTogether(shapes.Models.VqGan, 64, 64));
        Assert.Equal(1, PictureCodec.DecodedTogether(shapes.Models.VqGan, 1024, 64));
        foreach (var progress in new[] { first, second }) Assert.Equal([("Text", 1L, 1L), ("Codes", 21 * 64L, 21 * 64L), ("Pictures", 21L, 21L)], progress.Stages);
    }

    [Theory]
    [InlineData(32)]
    [InlineData(80)]
    public void ClipMayTakePicturesOfAnySize(int side)
    {
        using var shapes = new ShapesPipeline(device, side);
        var result = new TextToImage(shapes.Models, shapes.Tokenizer).Generate("a red circle", new GenerationSettings { Candidates = 3, Keep = 3 }, new RecordedProgress(), TestContext.Current.CancellationToken);
        Assert.Equal(side, shapes.Models.Clip.Config.ImageSize);
        Assert.All(result.Scores, score => Assert.InRange(score, -1, 1));
        Assert.Equal(64, result.Pictures[0].Width);
    }

    [Fact]
    public void EachRowHasTheRandomNumbersOfItsStream()
    {
        using var shapes = new ShapesPipeline(device);
        using var scope = new TensorScope();
        var conditions = device.From([.. Enumerable.Range(0, 3 * 16).Select(i => MathF.Sin(i))], new Shape(3, 16)).L2Normalize();
        Tensor Row(params int[] rows) => device.From(rows, new Shape(rows.Length)).Embedding(conditions);
        var settings = new GenerationSettings { Seed = 9 };
        int[][] Sample(Tensor rows, params long[] streams) => CodeSampler.Sample(shapes.Models.Gpt, rows, streams, settings, TestContext.Current.CancellationToken);
        // Some texts and streams beyond 32 bits in one batch, and the same in other company and order.
        var together = Sample(Row(0, 1, 2, 0), 5, 1L << 40, 1L << 40, 6);
        Assert.Equal(4, together.Select(row => string.Join(',', row)).Distinct().Count());
        Assert.Equal([together[2], together[0]], Sample(Row(2, 0), 1L << 40, 5));
        Assert.Equal([together[3]], Sample(Row(0), 6));
        // Neighbouring candidates of one text are those of generation.
        Assert.Equal(CodeSampler.Sample(shapes.Models.Gpt, Row(0), 5, 2, settings, cancellation: TestContext.Current.CancellationToken), Sample(Row(0, 0), 5, 6));
        Assert.Throws<ShapeException>(() => Sample(Row(0, 1), 5));
    }

    [Fact]
    public void TextsWithoutAKnownWordAreRefused()
    {
        using var shapes = new ShapesPipeline(device);
        var pipeline = new TextToImage(shapes.Models, shapes.Tokenizer);
        var error = Assert.Throws<GenerationException>(() => pipeline.Generate("my dog", new GenerationSettings(), new RecordedProgress(), TestContext.Current.CancellationToken));
        Assert.Contains("--text", error.Message);
        Assert.Contains("triangle", error.Message);
        Assert.Null(ClipEmbedder.UnknownWords(shapes.Tokenizer, "A red, circle"));
    }
}
