using System.Globalization;
using System.Text.Json;
using ClipGen.Data;

namespace ClipGen.Cli.Tests;

/// <summary><c>generate</c> from the text to the files, on small models in the released containers.</summary>
public sealed class GenerateTests(SmallModels models)
{
    private const string Prompt = "a red apple on a table";

    [Fact]
    public async Task OneSeedGivesOneFileWhateverThreadsAndBatch()
    {
        using var folder = new TemporaryFolder();
        await Generate(folder["a.png"], "--seed", "7");
        await Generate(folder["b.png"], "--seed", "7");
        await Generate(folder["c.png"], "--seed", "7", "--threads", "1");
        await Generate(folder["d.png"], "--seed", "7", "--threads", "3", "--batch", "2");
        await Generate(folder["e.png"], "--seed", "8");
        var first = File.ReadAllBytes(folder["a.png"]);
        foreach (var same in new[] { "b.png", "c.png", "d.png" }) Assert.Equal(first, File.ReadAllBytes(folder[same]));
        Assert.NotEqual(PictureFile.Load(folder["a.png"]).Rgb, PictureFile.Load(folder["e.png"]).Rgb);
    }

    [Theory]
    [InlineData("bf16", "bfloat16")]
    [InlineData("int8", "int8")]
    public async Task FewerBitsGiveOneFileWhateverTheBatch(string type, string noted)
    {
        using var folder = new TemporaryFolder();
        await Generate(folder["a.png"], "--seed", "7", "--temperature", "0.2", "--gpt-weights", type);
        await Generate(folder["b.png"], "--seed", "7", "--temperature", "0.2", "--gpt-weights", type, "--batch", "1", "--threads", "1");
        Assert.Equal(File.ReadAllBytes(folder["a.png"]), File.ReadAllBytes(folder["b.png"]));
        Assert.EndsWith($" gpt_weights={noted}", PictureFile.ReadMetadata(folder["a.png"])["settings"]);
    }

    [Fact]
    public async Task GridScoresAndMetadata()
    {
        using var folder = new TemporaryFolder();
        var run = await Generate(folder["out.png"], "--seed", "3");
        // Three pictures of 16 pixels in a row, two pixels between and around them.
        var grid = PictureFile.Load(folder["out.png"]);
        Assert.Equal((3 * 18 + 2, 18 + 2), (grid.Width, grid.Height));

        var lines = run.OutputLines;
        Assert.Equal(["rank", "candidate", "score"], Words(lines[0]));
        var ranks = lines[1..4].Select(Words).ToArray();
        Assert.Equal(["1", "2", "3"], ranks.Select(words => words[0]));
        Assert.Equal(3, ranks.Select(words => words[1]).Distinct().Count());
        var scores = ranks.Select(words => double.Parse(words[2], CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(scores.OrderDescending(), scores);
        Assert.All(scores, score => Assert.InRange(score, -1, 1));
        Assert.Equal(folder["out.png"], lines[4]);

        var metadata = PictureFile.ReadMetadata(folder["out.png"]);
        Assert.Equal(Prompt, metadata["prompt"]);
        Assert.Equal("3", metadata["seed"]);
        Assert.Equal(string.Join(", ", ranks.Select(words => words[2])), metadata["scores"]);
        Assert.Equal("candidates=5 keep=3 top_k=500 top_p=0.95 temperature=1 guidance=1 greedy=False parity=False", metadata["settings"]);
        Assert.Matches("^clip=[0-9a-f]{16} vqgan=[0-9a-f]{16} gpt=[0-9a-f]{16}$", metadata["models"]);
    }

    [Theory]
    [InlineData("out.jpg")]
    [InlineData("out.webp")]
    public async Task OtherFormatsCarryTheMetadataToo(string name)
    {
        using var folder = new TemporaryFolder();
        await Generate(folder[name], "--quiet");
        Assert.Equal(Prompt, PictureFile.ReadMetadata(folder[name])["prompt"]);
        Assert.Equal(3 * 18 + 2, PictureFile.Load(folder[name]).Width);
    }

    [Fact]
    public async Task Json()
    {
        using var folder = new TemporaryFolder();
        var run = await Generate(folder["out.png"], "--json", "--seed", "18446744073709551615");
        using var json = JsonDocument.Parse(run.Output);
        var root = json.RootElement;
        Assert.Equal(Prompt, root.GetProperty("prompt").GetString());
        Assert.Equal(ulong.MaxValue, root.GetProperty("seed").GetUInt64());
        Assert.Equal(folder["out.png"], root.GetProperty("file").GetString());
        var scores = root.GetProperty("scores").EnumerateArray().Select(score => score.GetSingle()).ToArray();
        Assert.Equal(5, scores.Length);
        var best = Enumerable.Range(0, 5).OrderByDescending(n => scores[n]).Take(3).ToArray();
        Assert.Equal(best, root.GetProperty("kept").EnumerateArray().Select(kept => kept.GetProperty("candidate").GetInt32()));
        Assert.All(root.GetProperty("kept").EnumerateArray(), kept => Assert.Equal(scores[kept.GetProperty("candidate").GetInt32()], kept.GetProperty("score").GetSingle()));
    }

    [Fact]
    public async Task EachPictureByItself()
    {
        using var folder = new TemporaryFolder();
        await Generate(folder["out.png"], "--save-each", folder["deep/each"]);
        Assert.Equal(["deep", "deep/each", "deep/each/01.png", "deep/each/02.png", "deep/each/03.png", "out.png"], folder.Names);
        var grid = PictureFile.Load(folder["out.png"]);
        for (var rank = 0; rank < 3; rank++)
        {
            var one = PictureFile.Load(folder[$"deep/each/0{rank + 1}.png"]);
            Assert.Equal(one.Rgb, PictureTransforms.Crop(grid, 2 + rank * 18, 2, 16, 16).Rgb);
        }
        var scores = PictureFile.ReadMetadata(folder["out.png"])["scores"].Split(", ");
        Assert.Equal(scores[1], PictureFile.ReadMetadata(folder["deep/each/02.png"])["scores"]);
    }

    [Fact]
    public async Task AnimationOfTheBestPicture()
    {
        using var folder = new TemporaryFolder();
        await Generate(folder["out.png"], "--progress-gif", folder["grow.gif"]);
        var bytes = File.ReadAllBytes(folder["grow.gif"]);
        Assert.Equal("GIF89a"u8.ToArray(), bytes[..6]);
        // One frame per row of the four by four codes; a graphic control extension stands before each.
        Assert.Equal(4, Enumerable.Range(0, bytes.Length - 3).Count(i => bytes.AsSpan(i, 3).SequenceEqual(new byte[] { 0x21, 0xF9, 0x04 })));
        var frame = PictureFile.Load(folder["grow.gif"]);
        Assert.Equal((16, 16), (frame.Width, frame.Height));
    }

    [Fact]
    public async Task GreedyCandidatesAreAllTheSame()
    {
        using var folder = new TemporaryFolder();
        var run = await Generate(folder["out.png"], "--greedy", "--json");
        using var json = JsonDocument.Parse(run.Output);
        Assert.Single(json.RootElement.GetProperty("scores").EnumerateArray().Select(score => score.GetSingle()).Distinct());
    }

    [Fact]
    public async Task ParityChangesTheRanking()
    {
        using var folder = new TemporaryFolder();
        var usual = await Generate(folder["a.png"], "--json");
        var parity = await Generate(folder["b.png"], "--json", "--parity");
        float[] Scores(CliRun run) => [.. JsonDocument.Parse(run.Output).RootElement.GetProperty("scores").EnumerateArray().Select(score => score.GetSingle())];
        Assert.NotEqual(Scores(usual), Scores(parity));
        Assert.Contains("parity=True", PictureFile.ReadMetadata(folder["b.png"])["settings"]);
    }

    [Fact]
    public async Task TooLongPrompts()
    {
        var prompt = string.Join(' ', Enumerable.Range(0, 90).Select(n => $"w{n % 10}")) + " zebra";
        using var folder = new TemporaryFolder();
        string[] job = [.. Job(folder["out.png"], prompt)];
        var run = await CliRun.Succeeds(job);
        var warning = Assert.Single(run.ErrorLines, line => line.StartsWith("warning:", StringComparison.Ordinal));
        Assert.Contains("too long", warning);
        Assert.Contains("zebra\"", warning);
        Assert.Equal("", (await CliRun.Succeeds([.. job, "--quiet"])).Error);
        Assert.Contains("end token", Assert.Single((await CliRun.Succeeds([.. job, "--parity"])).ErrorLines, line => line.StartsWith("warning:", StringComparison.Ordinal)));

        File.Delete(folder["out.png"]);
        await CliRun.Fails(2, "--text", [.. job, "--strict-prompt"]);
        Assert.Empty(folder.Names);
        await CliRun.Succeeds([.. Job(folder["out.png"], Prompt), "--strict-prompt"]);
    }

    [Fact]
    public async Task ProgressGoesToTheErrorStreamAndQuietSilencesIt()
    {
        using var folder = new TemporaryFolder();
        var loud = await Generate(folder["out.png"]);
        Assert.Equal(["text:", "codes:", "pictures:"], loud.ErrorLines.Select(line => Words(line)[0]));
        var quiet = await Generate(folder["out.png"], "--quiet");
        Assert.Equal("", quiet.Error);
        Assert.Equal(loud.Output, quiet.Output);
    }

    [Theory]
    [InlineData("@home with dogs")]
    [InlineData("-5 degrees")]
    [InlineData("Straße \U0001F34E &amp; <b>")]
    public async Task PromptsOfOddCharacters(string prompt)
    {
        using var folder = new TemporaryFolder();
        await CliRun.Succeeds([.. Job(folder["out.png"], prompt)]);
        Assert.Equal(prompt, PictureFile.ReadMetadata(folder["out.png"])["prompt"]);
    }

    [Fact]
    public async Task FilesOfAModelFolderNeedNoNames()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("generate", "--text", Prompt, "--out", folder["out.png"], "--model", models.Folder, "--vocab", models.Vocabulary, "--candidates", "2");
        Assert.Equal(4, run.OutputLines.Length);
    }

    private Task<CliRun> Generate(string file, params string[] options) => CliRun.Succeeds([.. Job(file, Prompt), .. options]);

    private IEnumerable<string> Job(string file, string prompt) =>
        ["generate", "--text", prompt, "--out", file, "--clip", models.Clip, "--vqgan", models.VqGan, "--gpt", models.Gpt, "--vocab", models.Vocabulary, "--candidates", "5", "--keep", "3"];

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
