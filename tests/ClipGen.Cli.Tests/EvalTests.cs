using System.Text.Json;
using ClipGen.Data;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>eval</c>.</summary>
public sealed class EvalTests(ShapesModel shapes, SmallModels models)
{
    private static readonly string Photos = Path.Combine(RepositoryPaths.Golden, "images", "files");

    [Fact]
    public async Task TableSheetsAndCaptions()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("eval", "shapes", "--model", shapes.Pretrained, "--prompts", "2", "--candidates", "2", "--out", folder["sheets"]);
        var lines = run.OutputLines;
        Assert.Equal(21, lines.Length);
        Assert.Matches(@"^detector: \d+ of 1000 fresh scenes read right \((99|100)\.\d %\)$", lines[0]);
        Assert.Matches(@"^seen, one object +best of 2 +2 +\d+\.\d +\d+\.\d to \d+\.\d +(\d+\.\d +){3}- +\d+\.\d$", lines[2]);
        Assert.Matches(@"^ +first +2 +", lines[3]);
        Assert.Matches(@"^ +any +2 +\d+\.\d +\d+\.\d to \d+\.\d$", lines[4]);
        Assert.Matches(@"^ +of picture +2 +\d+\.\d +\d+\.\d to \d+\.\d +(\d+\.\d +){3}- +\d+\.\d$", lines[5]);
        Assert.Matches(@"^held out, two objects +best of 2 +2 +\d+\.\d +\d+\.\d to \d+\.\d( +\d+\.\d){5}$", lines[14]);
        Assert.Contains("embeddings of 256 scenes", lines[18]);
        Assert.Matches(@"^of 8 sentences that differ in one thing, the right one is nearest to \d+\.\d % of \d+ pictures of one object and \d+\.\d % of \d+ of two; of 8 arrangements of the same two, to \d+\.\d %$", lines[19]);
        Assert.Matches(@"^VQ-GAN on 512 scenes: .* \d+\.\d % of the reconstructions read right$", lines[20]);
        // A stage that takes long is told of more than once.
        Assert.Equal(["detector:", "prompts:", "embeddings:", "hard", "reconstructions:"], run.ErrorLines.Select(line => line.Split(' ')[0]).Distinct());

        Assert.Equal(["sheets", "sheets/captions.txt", "sheets/held-out-one.png", "sheets/held-out-two.png", "sheets/seen-one.png", "sheets/seen-two.png"], folder.Names);
        var sheet = PictureFile.Load(folder["sheets/seen-one.png"]);
        Assert.Equal((2 * 66 + 2, 66 + 2), (sheet.Width, sheet.Height));
        var captions = File.ReadAllLines(folder["sheets/captions.txt"]);
        Assert.Equal(9, captions.Length);
        Assert.Matches(@"^seen-one\.png, 1, 2: (right|wrong \([^)]+\)), -?[01]\.\d{4}, a (small|large) .* background$", captions[2]);
    }

    [Fact]
    public async Task Json()
    {
        var run = await CliRun.Succeeds("eval", "shapes", "--model", shapes.Pretrained, "--prompts", "1", "--candidates", "1", "--seed", "7", "--json", "--quiet");
        Assert.Equal("", run.Error);
        using var json = JsonDocument.Parse(run.Output);
        var root = json.RootElement;
        Assert.Equal((7UL, 1), (root.GetProperty("seed").GetUInt64(), root.GetProperty("candidates").GetInt32()));
        Assert.True(root.GetProperty("detector").GetProperty("share").GetDouble() >= 0.99);
        var groups = root.GetProperty("groups").EnumerateArray().ToArray();
        Assert.Equal([(false, 1), (false, 2), (true, 1), (true, 2)], groups.Select(group => (group.GetProperty("held_out").GetBoolean(), group.GetProperty("objects").GetInt32())));
        Assert.All(groups, group => Assert.Equal(1, group.GetProperty("best").GetProperty("all_right").GetProperty("count").GetInt32()));
        Assert.Equal(JsonValueKind.Null, groups[0].GetProperty("best").GetProperty("relation").ValueKind);
        Assert.All(groups, group => Assert.Equal(group.GetProperty("best").GetProperty("all_right").GetRawText(), group.GetProperty("any").GetRawText()));
        Assert.Equal(JsonValueKind.Number, groups[1].GetProperty("first").GetProperty("relation").ValueKind);
        Assert.All(groups, group => Assert.Equal(1, group.GetProperty("of_picture").GetProperty("all_right").GetProperty("count").GetInt32()));
        Assert.InRange(root.GetProperty("embeddings").GetProperty("matching").GetDouble(), -1, 1);
        var hard = root.GetProperty("hard_negatives");
        Assert.Equal(256, hard.GetProperty("one_object").GetProperty("count").GetInt32() + hard.GetProperty("two_objects").GetProperty("count").GetInt32());
        Assert.Equal(hard.GetProperty("two_objects").GetProperty("count").GetInt32(), hard.GetProperty("arrangements").GetProperty("count").GetInt32());
        Assert.Equal(512, root.GetProperty("vqgan").GetProperty("read_right").GetProperty("count").GetInt32());
        Assert.Equal(32, root.GetProperty("vqgan").GetProperty("codes").GetInt32());
    }

    [Fact]
    public async Task ModelsOfAnotherWorld() =>
        Assert.Contains("16 x 16", await CliRun.Fails(1, "clipgen eval shapes:", "eval", "shapes", "--model", models.Folder, "--clip", models.Clip, "--vqgan", models.VqGan, "--gpt", models.Gpt, "--vocab", models.Vocabulary));

    [Fact]
    public async Task ReconstructionOfAFolder()
    {
        using TemporaryFolder folder = new();
        foreach (var name in new[] { "rgb_300x200.png", "gray_256x256.jpg" }) File.Copy(Path.Combine(Photos, name), folder[name]);
        var run = await CliRun.Succeeds("eval", "reconstruction", "--model", shapes.Pretrained, "--ds", folder.Path);
        Assert.Matches(@"^2 pictures of 64 x 64: L1 \d\.\d{4}, PSNR \d+\.\d\d dB, \d+ of 32 codes used\n$", run.Output);
        Assert.StartsWith("reconstructions: 2 pictures", run.Error);

        // The same numbers as of the command for single pictures.
        using var json = JsonDocument.Parse((await CliRun.Succeeds("eval", "reconstruction", "--vqgan", shapes.VqGan, "--ds", folder.Path, "--size", "32", "--count", "1", "--json")).Output);
        using var single = JsonDocument.Parse((await CliRun.Succeeds("reconstruct", folder["gray_256x256.jpg"], "--vqgan", shapes.VqGan, "--size", "32", "--out", folder["both.png"], "--json")).Output);
        Assert.Equal((1, 32), (json.RootElement.GetProperty("pictures").GetInt32(), json.RootElement.GetProperty("size").GetInt32()));
        // Latents that are rounded as in training differ in the last bit.
        Assert.Equal(single.RootElement.GetProperty("pictures")[0].GetProperty("l1").GetDouble(), json.RootElement.GetProperty("l1").GetDouble(), 1e-5);
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("lpips").ValueKind);

        Assert.StartsWith("3 pictures of 64 x 64", (await CliRun.Succeeds("eval", "reconstruction", "--model", shapes.Pretrained, "--ds", "shapes", "--count", "3")).Output);
    }

    [Theory]
    [InlineData(2, "--prompts", "shapes", "--prompts", "0")]
    [InlineData(2, "--candidates", "shapes", "--candidates", "0")]
    [InlineData(2, "--candidates", "shapes", "--candidates", "100000")]
    [InlineData(2, "--temperature", "shapes", "--temperature", "0")]
    [InlineData(2, "--ds", "reconstruction")]
    [InlineData(1, "no-such-folder", "reconstruction", "--ds", "no-such-folder")]
    [InlineData(2, "--count", "reconstruction", "--ds", "shapes", "--count", "0")]
    [InlineData(2, "--size 20", "reconstruction", "--ds", "shapes", "--size", "20")]
    [InlineData(1, "none.pt", "reconstruction", "--ds", "shapes", "--lpips", "none.pt")]
    public async Task OptionsThatDoNotFit(int code, string culprit, string command, params string[] options) =>
        await CliRun.Fails(code, culprit, ["eval", command, "--model", shapes.Pretrained, "--quiet", .. options]);

    [Fact]
    public async Task TheGroupAloneIsNoCommand() => await CliRun.Fails(2, "clipgen eval", "eval");
}
