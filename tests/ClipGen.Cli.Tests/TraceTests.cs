using ClipGen.Checkpoints;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>trace</c> on the reference's tiny models: every activation that the reference stored.</summary>
public sealed class TraceTests
{
    // Ten times what float32 costs the reference itself, from the README of the golden data.
    private const double Tolerance = 1e-5;

    [Fact]
    public async Task ClipPictures()
    {
        var golden = GoldenTensors.Load("clip", "clip_tiny.safetensors");
        var found = await Trace("clip", "clip_tiny.pt", TensorSource.From("image", golden["images"].Floats, golden["images"].Shape));
        CompareActivations(golden, found, "visual.");
        Compare(golden["image_features"], found["out"], "out");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClipTexts(bool shortIntegers)
    {
        var golden = GoldenTensors.Load("clip", "clip_tiny.safetensors");
        var texts = golden["texts"];
        var tokens = shortIntegers ? TensorFiles.Ints("tokens", texts.Ints, texts.Shape) : TensorFiles.Longs("tokens", texts.Longs, texts.Shape);
        var found = await Trace("clip", "clip_tiny.pt", tokens, "--heads", "2");
        CompareActivations(golden, found, "transformer.");
        CompareActivations(golden, found, "ln_final");
        Compare(golden["text_features"], found["out"], "out");
    }

    [Fact]
    public async Task ClipBoth()
    {
        var golden = GoldenTensors.Load("clip", "clip_tiny.safetensors");
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorSource.From("image", golden["images"].Floats, golden["images"].Shape), TensorFiles.Longs("tokens", golden["texts"].Longs, golden["texts"].Shape)]);
        await CliRun.Succeeds("trace", "clip", "--checkpoint", RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), "--input", folder["in.safetensors"], "--out", folder["out.safetensors"], "--heads", "2");
        var found = TensorFiles.Read(folder["out.safetensors"]);
        CompareActivations(golden, found, "");
        Compare(golden["image_features"], found["out.image"], "out.image");
        Compare(golden["text_features"], found["out.text"], "out.text");
        Assert.False(found.ContainsKey("out"));
    }

    [Fact]
    public async Task ClipInHalfPrecisionAsOpenAiShipsIt()
    {
        var golden = GoldenTensors.Load("checkpoints", "torchscript_clip_half.safetensors");
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorSource.From("image", golden["images"].Floats, golden["images"].Shape), TensorFiles.Longs("tokens", golden["texts"].Longs, golden["texts"].Shape)]);
        await CliRun.Succeeds("trace", "clip", "--checkpoint", RepositoryPaths.GoldenFile("checkpoints", "torchscript_clip_half.pt"), "--input", folder["in.safetensors"], "--out", folder["out.safetensors"], "--heads", "2");
        var found = TensorFiles.Read(folder["out.safetensors"]);
        Compare(golden["image_features"], found["out.image"], "out.image");
        Compare(golden["text_features"], found["out.text"], "out.text");
    }

    [Theory]
    [InlineData(15, "logits")]
    [InlineData(5, "logits_short_prefix")]
    [InlineData(0, "logits_empty_prefix")]
    public async Task Gpt(int length, string logits)
    {
        var golden = GoldenTensors.Load("gpt", "gpt_tiny.safetensors");
        var codes = golden["tokens"].Longs.Chunk(16).SelectMany(row => row.Take(length)).ToArray();
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorFiles.Longs("codes", codes, 2, length), TensorSource.From("embed", golden["embed"].Floats, golden["embed"].Shape)]);
        await CliRun.Succeeds("trace", "gpt", "--checkpoint", RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), "--input", folder["in.safetensors"], "--out", folder["out.safetensors"], "--heads", "4");
        var found = TensorFiles.Read(folder["out.safetensors"]);
        Compare(golden[logits], found["out"], logits);
        if (length == 15) CompareActivations(golden, found, "");
    }

    [Fact]
    public async Task GptWithOtherHeadsIsAnotherFunction()
    {
        var golden = GoldenTensors.Load("gpt", "gpt_tiny.safetensors");
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorFiles.Longs("codes", [.. golden["tokens"].Longs.Chunk(16).SelectMany(row => row.Take(15))], 2, 15), TensorSource.From("embed", golden["embed"].Floats, golden["embed"].Shape)]);
        await CliRun.Succeeds("trace", "gpt", "--checkpoint", RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), "--input", folder["in.safetensors"], "--out", folder["out.safetensors"]);
        Assert.True(GoldenTensors.RelativeError(golden["logits"].Floats, TensorFiles.Read(folder["out.safetensors"])["out"].Values) > 1e-3);
    }

    [Fact]
    public async Task VqGanActivations()
    {
        var golden = GoldenTensors.Load("vqgan", "vqgan_tiny_eval.safetensors");
        var found = await Trace("vqgan", "vqgan_tiny.pt", TensorSource.From("image", golden["act_x"].Floats, golden["act_x"].Shape));
        CompareActivations(golden, found, "");
        // 32 pixels leave the discriminator two by two patches.
        Assert.Equal([1, 1, 2, 2], found["discriminator"].Shape);
    }

    [Fact]
    public async Task VqGanResults()
    {
        var golden = GoldenTensors.Load("vqgan", "vqgan_tiny_eval.safetensors");
        var found = await Trace("vqgan", "vqgan_tiny.pt", TensorSource.From("image", golden["x"].Floats, golden["x"].Shape));
        Compare(golden["x_recon"], found["out"], "out");
        Compare(golden["x_recon"], found["decoder"], "decoder");
        Compare(golden["z"], found["encoder"], "encoder");
        Compare(golden["z_q"], found["quantizer"], "quantizer");
        Compare(golden["logits_fake"], found["discriminator"], "discriminator");
        Assert.Equal(golden["indices"].Shape, found["indices"].Shape);
        Assert.Equal(golden["indices"].Longs.Select(code => (float)code), found["indices"].Values);
    }

    [Fact]
    public async Task SmallPicturesAreTracedWithoutTheDiscriminator()
    {
        var found = await Trace("vqgan", "vqgan_tiny.pt", TensorSource.From("image", Ramp(3 * 16 * 16), 1, 3, 16, 16));
        Assert.DoesNotContain(found.Keys, name => name.StartsWith("discriminator", StringComparison.Ordinal));
        Assert.Equal([1, 3, 16, 16], found["out"].Shape);
    }

    [Fact]
    public async Task SmallestPictureOfTheDiscriminator()
    {
        var found = await Trace("vqgan", "vqgan_tiny.pt", TensorSource.From("image", Ramp(3 * 24 * 24), 1, 3, 24, 24));
        Assert.Equal([1, 1, 1, 1], found["discriminator"].Shape);
    }

    private static float[] Ramp(int count) => [.. Enumerable.Range(0, count).Select(i => MathF.Sin(i))];

    private static async Task<Dictionary<string, (long[] Shape, float[] Values)>> Trace(string model, string checkpoint, TensorSource input, params string[] options)
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["in.safetensors"], [input]);
        var run = await CliRun.Succeeds(["trace", model, "--checkpoint", RepositoryPaths.GoldenFile(model, checkpoint), "--input", folder["in.safetensors"], "--out", folder["out.safetensors"], .. options]);
        Assert.Equal("", run.Error);
        Assert.EndsWith(folder["out.safetensors"], Assert.Single(run.OutputLines));
        return TensorFiles.Read(folder["out.safetensors"]);
    }

    private static void CompareActivations(IReadOnlyDictionary<string, GoldenTensor> golden, Dictionary<string, (long[] Shape, float[] Values)> found, string prefix)
    {
        var compared = 0;
        foreach (var (name, expected) in golden)
        {
            if (!name.StartsWith($"act.{prefix}", StringComparison.Ordinal)) continue;
            Assert.True(found.ContainsKey(name["act.".Length..]), $"{name} is missing from the trace");
            Compare(expected, found[name["act.".Length..]], name);
            compared++;
        }
        Assert.NotEqual(0, compared);
    }

    private static void Compare(GoldenTensor expected, (long[] Shape, float[] Values) found, string what)
    {
        Assert.True(expected.Shape.SequenceEqual(found.Shape), $"{what}: shape [{string.Join(", ", found.Shape)}], expected [{string.Join(", ", expected.Shape)}]");
        var error = GoldenTensors.RelativeError(expected.Floats, found.Values);
        Assert.True(error < Tolerance, $"{what}: relative error {error:G3}, accepted {Tolerance:G3}");
    }
}
