using System.Diagnostics;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary>A model with a vocabulary of its own, and where the commands find their models.</summary>
public sealed class BuiltInModelTests(ShapesModel shapes, SmallModels models)
{
    private const string Prompt = "a large red circle on a white background";
    private static readonly string Photo = RepositoryPaths.GoldenFile("images", "files", "rgb_300x200.png");

    [Fact]
    public async Task AFolderOfModelsToldByTheirContent()
    {
        using TemporaryFolder folder = new(), model = new();
        foreach (var (file, name) in new[] { (shapes.Clip, "a.safetensors"), (shapes.VqGan, "b.safetensors"), (shapes.Gpt, "c.safetensors") }) File.Copy(file, model[name]);
        File.WriteAllText(model["notes.pt"], "no checkpoint");
        var run = await CliRun.Succeeds("generate", "--text", Prompt, "--out", folder["out.png"], "--model", model.Path, "--candidates", "5", "--keep", "4");
        Assert.Equal(6, run.OutputLines.Length);
        var grid = PictureFile.Load(folder["out.png"]);
        Assert.Equal((4 * 66 + 2, 66 + 2), (grid.Width, grid.Height));

        File.Copy(shapes.Gpt, model["d.safetensors"]);
        var line = await CliRun.Fails(1, "--gpt", "generate", "--text", Prompt, "--out", folder["other.png"], "--model", model.Path);
        Assert.Contains("c.safetensors and d.safetensors", line);
        // The one that is named by itself settles it, and gives the same picture.
        await CliRun.Succeeds("generate", "--text", Prompt, "--out", folder["other.png"], "--model", model.Path, "--gpt", model["d.safetensors"], "--candidates", "5", "--keep", "4");
        Assert.Equal(File.ReadAllBytes(folder["out.png"]), File.ReadAllBytes(folder["other.png"]));

        File.Delete(model["a.safetensors"]);
        line = await CliRun.Fails(1, "--clip", "generate", "--text", Prompt, "--out", folder["third.png"], "--model", model.Path);
        Assert.Contains("notes.pt", line);
        Assert.Contains("--model shapes", line);
    }

    [Fact]
    public async Task OneSeedGivesOneFileWhateverThreadsAndBatch()
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, threads, batch) in new[] { ("a.png", "2", "8"), ("b.png", "1", "3"), ("c.png", "3", "1"), ("d.png", "2", "64") })
            await CliRun.Succeeds("generate", "--text", Prompt, "--out", folder[name], "--model", shapes.Pretrained, "--candidates", "10", "--seed", "5", "--threads", threads, "--batch", batch);
        foreach (var name in new[] { "b.png", "c.png", "d.png" }) Assert.Equal(File.ReadAllBytes(folder["a.png"]), File.ReadAllBytes(folder[name]));
    }

    [Fact]
    public async Task UnknownWordsAreNamed()
    {
        using var folder = new TemporaryFolder();
        string[] Job(string prompt) => ["generate", "--text", prompt, "--out", folder["out.png"], "--model", shapes.Pretrained, "--candidates", "2"];
        var warning = Assert.Single((await CliRun.Succeeds(Job("a purple elephant above a Red circle"))).ErrorLines, line => line.StartsWith("warning:", StringComparison.Ordinal));
        Assert.Contains("does not know \"elephant\";", warning);
        Assert.Contains("circle, cross, cyan,", warning);
        Assert.Equal("", (await CliRun.Succeeds([.. Job("a purple elephant"), "--quiet"])).Error);
        // Words that are not known play no role.
        var pixels = PictureFile.Load(folder["out.png"]).Rgb;
        await CliRun.Succeeds(Job("a purple"));
        Assert.Equal(pixels, PictureFile.Load(folder["out.png"]).Rgb);

        File.Delete(folder["out.png"]);
        Assert.Contains("\"elephant\"", await CliRun.Fails(2, "--text", [.. Job("a purple elephant"), "--strict-prompt"]));
        foreach (var nothing in new[] { "elephants dance", "?!" }) Assert.Contains("it knows a, above,", await CliRun.Fails(2, "--text: has no word", Job(nothing)));
        Assert.Empty(folder.Names);
        await CliRun.Succeeds([.. Job(Prompt), "--strict-prompt"]);

        Assert.Contains("--text 2: this CLIP model does not know \"blorp\"", (await CliRun.Succeeds("embed", "--text", "red", "blorp red", "--model", shapes.Pretrained)).Error);
        await CliRun.Fails(2, "--text 2: has no word", "embed", "--text", "red", "blorp", "--quiet", "--model", shapes.Pretrained);
    }

    [Fact]
    public async Task AVocabularyFileThatIsNotTheModelsIsRefused()
    {
        using var folder = new TemporaryFolder();
        await CliRun.Fails(1, "--vocab", "embed", "--text", "red", "--clip", shapes.Clip, "--vocab", models.Vocabulary);
    }

    [Fact]
    public async Task EmbeddingsKnowTheModelsWords()
    {
        using var json = JsonDocument.Parse((await CliRun.Succeeds("embed", "--text", "a red circle", "A RED, circle!", "a blue circle", "--image", Photo, "--clip", shapes.Clip, "--json")).Output);
        var rows = json.RootElement.GetProperty("text").Deserialize<float[][]>()!;
        Assert.Equal(16, rows[0].Length);
        Assert.Equal(rows[0], rows[1]);
        Assert.NotEqual(rows[0], rows[2]);
    }

    [Fact]
    public async Task TokensOfWholeWords()
    {
        var run = await CliRun.Succeeds("tokenize", "a red elephant", "--model", shapes.Pretrained);
        Assert.Matches(@"^<start_of_text>\(\d+\) a\(1\) red\(\d+\) <end_of_text>\(\d+\)$", Assert.Single(run.OutputLines));
        Assert.Contains("\"elephant\"", Assert.Single(run.ErrorLines));
        using var json = JsonDocument.Parse((await CliRun.Succeeds("tokenize", "a red", "--model", shapes.Pretrained, "--json")).Output);
        Assert.Equal(24, json.RootElement[0].GetArrayLength());
        // A vocabulary that is named comes first.
        Assert.Contains("(49406)", (await CliRun.Succeeds("tokenize", "a red", "--vocab", models.Vocabulary)).Output);
    }

    [Fact]
    public async Task PicturesHaveTheSideThatTheGptWrites()
    {
        using var folder = new TemporaryFolder();
        using var codes = JsonDocument.Parse((await CliRun.Succeeds("encode", Photo, "--model", shapes.Pretrained, "--out", folder["codes.json"], "--json")).Output);
        Assert.Equal((8, 32), (codes.RootElement.GetProperty("rows").GetInt32(), codes.RootElement.GetProperty("codebook").GetInt32()));
        await CliRun.Succeeds("decode", folder["codes.json"], "--model", shapes.Pretrained, "--out", folder["decoded.png"]);
        Assert.Equal(64, PictureFile.Load(folder["decoded.png"]).Width);
        await CliRun.Succeeds("reconstruct", Photo, "--model", shapes.Pretrained, "--out", folder["both.png"]);
        Assert.Equal((2 * 66 + 2, 66 + 2), (PictureFile.Load(folder["both.png"]).Width, PictureFile.Load(folder["both.png"]).Height));
        // By itself a VQ-GAN tells no size.
        await CliRun.Succeeds("reconstruct", Photo, "--vqgan", shapes.VqGan, "--size", "32", "--out", folder["both.png"]);
        Assert.Equal(2 * 34 + 2, PictureFile.Load(folder["both.png"]).Width);
    }

    [Fact]
    public async Task WithoutReleasedFilesTheBuiltInModelIsUsed()
    {
        // The nearest folder `pretrained` is that of the working directory, so that it does not matter what is beside the program.
        using var folder = new TemporaryFolder();
        foreach (var choice in new string[][] { [], ["--model", "shapes"] })
        {
            var run = await InWorkingDirectory(shapes.WorkingDirectory, ["generate", "--text", Prompt, "--out", folder["out.png"], "--candidates", "2", .. choice]);
            Assert.Equal(0, run.ExitCode);
            Assert.Equal(64 * 2 + 6, PictureFile.Load(folder["out.png"]).Width);
            File.Delete(folder["out.png"]);
        }
        Assert.Equal(0, (await InWorkingDirectory(shapes.WorkingDirectory, "embed", "--text", Prompt)).ExitCode);
        Assert.Equal(0, (await InWorkingDirectory(shapes.WorkingDirectory, "encode", Photo, "--out", folder["codes.json"])).ExitCode);
    }

    [Fact]
    public async Task ReleasedFilesComeBeforeTheBuiltInModel()
    {
        using TemporaryFolder folder = new(), work = new();
        Directory.CreateDirectory(work["pretrained"]);
        TinyShapesModel.Write(work["pretrained"]);
        foreach (var file in new[] { models.Clip, models.VqGan }) File.Copy(file, Path.Combine(work["pretrained"], Path.GetFileName(file)));

        // Two of three are not a model, and are not completed from another one.
        string[] job = ["generate", "--text", Prompt, "--out", folder["out.png"], "--candidates", "2", "--vocab", models.Vocabulary];
        var run = await InWorkingDirectory(work.Path, job);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("no gpt_coco.pt", run.Error);
        Assert.Contains("--model shapes", run.Error);

        File.Copy(models.Gpt, Path.Combine(work["pretrained"], "gpt_coco.pt"));
        Assert.Equal(0, (await InWorkingDirectory(work.Path, job)).ExitCode);
        Assert.Equal(16 * 2 + 6, PictureFile.Load(folder["out.png"]).Width);
        Assert.Equal(0, (await InWorkingDirectory(work.Path, "generate", "--text", Prompt, "--out", folder["out.png"], "--candidates", "2", "--model", "shapes")).ExitCode);
        Assert.Equal(64 * 2 + 6, PictureFile.Load(folder["out.png"]).Width);
    }

    [Fact]
    public async Task FoldersThatAreNotThere() => Assert.Contains("shapes", await CliRun.Fails(1, "--model no-such-folder", "generate", "--text", "one", "--model", "no-such-folder"));

    private static async Task<CliRun> InWorkingDirectory(string directory, params string[] args)
    {
        var info = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "clipgen.dll"), .. args]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory };
        using var process = Process.Start(info)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new CliRun(process.ExitCode, await output, await error);
    }
}
