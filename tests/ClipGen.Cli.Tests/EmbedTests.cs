using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>embed</c>.</summary>
public sealed class EmbedTests(SmallModels models)
{
    private static readonly string Photo = RepositoryPaths.GoldenFile("images", "files", "rgb_300x200.png");
    private static readonly string Other = RepositoryPaths.GoldenFile("images", "files", "rgba_200x300.png");

    [Fact]
    public async Task TextsAndPicturesWithSimilarities()
    {
        using var folder = new TemporaryFolder();
        var run = await Embed("--text", "one", "two", "--text", "three", "--image", Photo, Other, "--json", "--out", folder["e.safetensors"]);
        using var json = JsonDocument.Parse(run.Output);
        Assert.Equal(["text", "image", "similarity"], json.RootElement.EnumerateObject().Select(part => part.Name));
        var text = Rows(json, "text");
        var image = Rows(json, "image");
        var similarity = Rows(json, "similarity");
        Assert.Equal((3, 2, 3), (text.Length, image.Length, similarity.Length));
        foreach (var row in text.Concat(image))
        {
            Assert.Equal(64, row.Length);
            // 64 float32 squares, each with a relative error of 1e-7.
            Assert.Equal(1, Dot(row, row), 5);
        }
        for (var t = 0; t < 3; t++)
        {
            Assert.Equal(2, similarity[t].Length);
            for (var i = 0; i < 2; i++) Assert.Equal(Dot(text[t], image[i]), similarity[t][i], 5);
        }
        Assert.NotEqual(text[0], text[2]);

        var file = TensorFiles.Read(folder["e.safetensors"]);
        Assert.Equal(["image", "similarity", "text"], file.Keys.Order());
        Assert.Equal([3, 64], file["text"].Shape);
        Assert.Equal(text.SelectMany(row => row), file["text"].Values);
        Assert.Equal(image.SelectMany(row => row), file["image"].Values);
        Assert.Equal([3, 2], file["similarity"].Shape);
    }

    [Fact]
    public async Task OnlyWhatIsGivenIsWritten()
    {
        using var folder = new TemporaryFolder();
        using var text = JsonDocument.Parse((await Embed("--text", "one", "--json")).Output);
        Assert.Equal(["text"], text.RootElement.EnumerateObject().Select(part => part.Name));
        // Pictures need no vocabulary.
        using var image = JsonDocument.Parse((await CliRun.Succeeds("embed", "--image", Photo, "--clip", models.Clip, "--json", "--vocab", folder["none"])).Output);
        Assert.Equal(["image"], image.RootElement.EnumerateObject().Select(part => part.Name));
    }

    [Fact]
    public async Task ReadableReport()
    {
        var run = await Embed("--text", "one", "--image", Photo, "--quiet");
        Assert.Equal("", run.Error);
        Assert.Equal(4, run.OutputLines.Length);
        Assert.StartsWith("text 1: 64 values, ", run.OutputLines[0]);
        Assert.EndsWith(Photo, run.OutputLines[1]);
        Assert.Equal("similarity", run.OutputLines[2]);
        Assert.Matches(@"^text 1: image 1 -?[01]\.\d{4}$", run.OutputLines[3]);
    }

    [Fact]
    public async Task TextsAreTheModelsOwn()
    {
        using var folder = new TemporaryFolder();
        using var json = JsonDocument.Parse((await Embed("--text", "a red apple", "--json", "--heads", "4")).Output);
        using var tokens = JsonDocument.Parse((await CliRun.Succeeds("tokenize", "a red apple", "--vocab", models.Vocabulary, "--json")).Output);
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorFiles.Longs("tokens", tokens.RootElement[0].Deserialize<long[]>()!, 1, 77)]);
        await CliRun.Succeeds("trace", "clip", "--checkpoint", models.Clip, "--input", folder["in.safetensors"], "--out", folder["out.safetensors"], "--heads", "4");
        Assert.True(GoldenTensors.RelativeError(Unit(TensorFiles.Read(folder["out.safetensors"])["out"].Values), Rows(json, "text")[0]) < 1e-6);
        using var otherHeads = JsonDocument.Parse((await Embed("--text", "a red apple", "--json", "--heads", "2")).Output);
        Assert.NotEqual(Rows(json, "text")[0], Rows(otherHeads, "text")[0]);
    }

    [Fact]
    public async Task PicturesArePreparedAsOpenAiDoes()
    {
        using var folder = new TemporaryFolder();
        // 300 x 200: the short side becomes 32, the long one int(32 * 300 / 200) = 48, eight columns are cut off at each side.
        var prepared = PictureTransforms.Crop(PillowResize.Bicubic(PictureFile.Load(Photo), 48, 32), 8, 0, 32, 32);
        float[] mean = [0.48145466f, 0.4578275f, 0.40821073f], std = [0.26862954f, 0.26130258f, 0.27577711f];
        var channels = new float[3 * 32 * 32];
        for (var i = 0; i < channels.Length; i++) channels[i] = (prepared.Rgb[i % 1024 * 3 + i / 1024] / 255f - mean[i / 1024]) / std[i / 1024];
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorSource.From("image", channels, 1, 3, 32, 32)]);
        await CliRun.Succeeds("trace", "clip", "--checkpoint", models.Clip, "--input", folder["in.safetensors"], "--out", folder["out.safetensors"]);
        using var json = JsonDocument.Parse((await Embed("--image", Photo, "--json")).Output);
        Assert.True(GoldenTensors.RelativeError(Unit(TensorFiles.Read(folder["out.safetensors"])["out"].Values), Rows(json, "image")[0]) < 1e-6);
    }

    [Fact]
    public async Task TooLongTextsAreToldOf()
    {
        var run = await Embed("--text", "short", string.Join(' ', Enumerable.Repeat("w", 90)) + " zebra", "--json");
        var warning = Assert.Single(run.ErrorLines, line => line.StartsWith("warning:", StringComparison.Ordinal));
        Assert.Contains("--text 2", warning);
        Assert.Contains("zebra", warning);
    }

    private Task<CliRun> Embed(params string[] options) => CliRun.Succeeds(["embed", "--clip", models.Clip, "--vocab", models.Vocabulary, .. options]);

    private static float[][] Rows(JsonDocument json, string name) => json.RootElement.GetProperty(name).Deserialize<float[][]>()!;

    private static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();

    private static float[] Unit(float[] values)
    {
        var norm = Math.Sqrt(Dot(values, values));
        return [.. values.Select(v => (float)(v / norm))];
    }
}
