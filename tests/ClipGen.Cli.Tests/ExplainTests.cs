using System.Text.Json;
using System.Text.RegularExpressions;

namespace ClipGen.Cli.Tests;

/// <summary><c>generate --explain</c>: a page that says what happened, and a picture that is the same as without it.</summary>
public sealed partial class ExplainTests(SmallModels models)
{
    private string[] Generate(string target, params string[] more) => ["generate", "--text", "a red <apple> on a table", "--out", target, "--candidates", "3", "--clip", models.Clip, "--vqgan", models.VqGan, "--gpt", models.Gpt, "--vocab", models.Vocabulary, .. more];

    [Fact]
    public async Task ThePageHoldsEveryStepAndThePictureIsTheSame()
    {
        using var folder = new TemporaryFolder();
        await CliRun.Succeeds(Generate(folder["alone.png"]));
        var run = await CliRun.Succeeds(Generate(folder["out.png"], "--explain", folder["how"]));
        Assert.Equal(File.ReadAllBytes(folder["alone.png"]), File.ReadAllBytes(folder["out.png"]));
        Assert.Equal(Path.Combine(folder["how"], "explain.html"), run.OutputLines[^1]);
        Assert.True(File.ReadAllBytes(folder["how/growth.gif"]).AsSpan().StartsWith("GIF8"u8));

        var page = File.ReadAllText(run.OutputLines[^1]);
        Assert.DoesNotMatch(@"https?://|@import|url\(|src=""(?!data:)", page);
        // The text stands there as text.
        Assert.Contains("a red &lt;apple&gt; on a table", page);
        Assert.DoesNotContain("<apple>", page);
        foreach (var word in (string[])["without “a”", "without “red”", "without “table”"]) Assert.Contains(word, page);
        foreach (var stage in (string[])["decoder.quant_conv_in", "decoder.conv_in", "decoder.mid.0", "decoder.up.0"]) Assert.Contains(stage, page);
        // Three candidates, the picture twice, and a map per stage.
        Assert.True(Regex.Count(page, "data:image/png;base64,") > 3 + 2 + 4);
        Assert.Equal(3, Regex.Count(page, "class=\"kept\""));

        using var data = JsonDocument.Parse(DataOf().Match(page).Groups[1].Value);
        var root = data.RootElement;
        var choices = root.GetProperty("choices").EnumerateArray().ToList();
        Assert.Equal((4, 16), (root.GetProperty("side").GetInt32(), choices.Count));
        Assert.Equal(16 * 16, root.GetProperty("attention").GetBytesFromBase64().Length);
        Assert.Equal(1, root.GetProperty("text")[0].GetDouble(), 1e-6);
        foreach (var choice in choices)
        {
            var likely = choice.GetProperty("likely").EnumerateArray().Select(pair => (Code: (int)pair[0].GetDouble(), P: pair[1].GetDouble())).ToList();
            var (code, p, rank) = (choice.GetProperty("code").GetInt32(), choice.GetProperty("p").GetDouble(), choice.GetProperty("rank").GetInt32());
            Assert.Equal(likely.Select(one => one.P).OrderDescending(), likely.Select(one => one.P));
            Assert.InRange((float)p, 1e-9f, (float)likely[0].P);
            Assert.InRange(choice.GetProperty("bits").GetDouble(), 0, Math.Log2(64) + 1e-5);
            // The same number, once written as a float and once as a double.
            if (rank <= likely.Count) Assert.Equal((float)p, (float)likely[rank - 1].P);
            if (rank == 1) Assert.Equal(code, likely[0].Code);
        }
    }

    [Fact]
    public async Task GreedyChoicesAreTheMostLikely()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds(Generate(folder["out.png"], "--explain", folder["how"], "--explain-layer", "0", "--greedy", "--json"));
        using var result = JsonDocument.Parse(run.Output);
        var page = File.ReadAllText(result.RootElement.GetProperty("explanation").GetString()!);
        Assert.Contains("in layer 0", page);
        using var data = JsonDocument.Parse(DataOf().Match(page).Groups[1].Value);
        Assert.All(data.RootElement.GetProperty("choices").EnumerateArray(), choice => Assert.Equal(1, choice.GetProperty("rank").GetInt32()));
    }

    [Fact]
    public async Task WrongUseIsOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        await CliRun.Fails(CommandLine.BadUsage, "--explain-layer", Generate(folder["x.png"], "--explain-layer", "0"));
        await CliRun.Fails(CommandLine.BadUsage, "layers 0 to 1", Generate(folder["x.png"], "--explain", folder["how"], "--explain-layer", "2"));
        await CliRun.Fails(CommandLine.Failed, "--explain", Generate(folder["x.png"], "--explain", folder["file"]));
        Assert.Equal([folder["file"]], Directory.GetFileSystemEntries(folder.Path));
    }

    [GeneratedRegex("""<script type="application/json" id="data">(.*?)</script>""")]
    private static partial Regex DataOf();
}
