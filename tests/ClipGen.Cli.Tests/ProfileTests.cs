using System.Text.Json;
using System.Text.RegularExpressions;

namespace ClipGen.Cli.Tests;

/// <summary><c>profile</c>: the command it runs does what it would do alone, and every second of it is in the table.</summary>
public sealed partial class ProfileTests(SmallModels models)
{
    private string[] Generate(string target) => ["generate", "--text", "a red apple", "--out", target, "--candidates", "3", "--batch", "3", "--clip", models.Clip, "--vqgan", models.VqGan, "--gpt", models.Gpt, "--vocab", models.Vocabulary];

    [Fact]
    public async Task TheTableAddsUpToTheWallTime()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds(["profile", "--out", folder["p"], "--json", "--threads", "1", "--", .. Generate(folder["out.png"])]);
        using var json = JsonDocument.Parse(run.Output);
        var root = json.RootElement;
        Assert.StartsWith("clipgen generate ", root.GetProperty("command").GetString());
        Assert.Equal(("cpu", 1), (root.GetProperty("device").GetString(), root.GetProperty("threads").GetInt32()));
        double wall = root.GetProperty("wall_s").GetDouble(), ops = root.GetProperty("ops_s").GetDouble(), outside = root.GetProperty("outside_s").GetDouble();
        var host = root.GetProperty("host").EnumerateArray().Sum(part => part.GetProperty("seconds").GetDouble());
        Assert.True(ops > 0 && wall > 0 && outside >= 0);
        // Each tick is in one row: what the sums lack is rounding.
        Assert.Equal(wall, ops + host + outside, wall * 1e-6);
        Assert.Equal(ops, Named("ops").Sum(op => op.Value.GetProperty("seconds").GetDouble()), wall * 1e-6);
        Assert.True(root.GetProperty("peaks").GetProperty("gflops").GetDouble() > 0);
        Assert.True(root.GetProperty("peak_bytes").GetInt64() > 0);

        // Sixteen codes of three candidates, written together: the condition, then fifteen steps.
        Assert.Equal(16, Named("ops")["Sample"].GetProperty("calls").GetInt64());
        var places = root.GetProperty("places").EnumerateArray().ToList();
        Assert.Equal(16, places.Single(place => place.GetProperty("name").GetString() == "gpt").GetProperty("calls").GetInt64());
        Assert.Equal(3, places.Single(place => place.GetProperty("name").GetString() == "blocks.0.encoder.linear1").GetProperty("depth").GetInt32() - places.Single(place => place.GetProperty("name").GetString() == "codes").GetProperty("depth").GetInt32());
        foreach (var name in (string[])["check files", "clip text", "pictures", "decoder", "decoder.conv_in", "clip picture", "write files"])
            Assert.Contains(places, place => place.GetProperty("name").GetString() == name);
        var all = places.Where(place => place.GetProperty("depth").GetInt32() == 1).Sum(place => place.GetProperty("flops").GetDouble());
        // The length of an embedding is taken between two phases, and is little work.
        Assert.InRange(all / Named("ops").Sum(op => op.Value.GetProperty("flops").GetDouble()), 0.999, 1);

        Dictionary<string, JsonElement> Named(string table) => root.GetProperty(table).EnumerateArray().ToDictionary(op => op.GetProperty("op").GetString()!);
    }

    [Fact]
    public async Task ThePictureIsTheSameAndThePageAndTheTraceAreWhole()
    {
        using var folder = new TemporaryFolder();
        var alone = await CliRun.Succeeds(Generate(folder["alone.png"]));
        var run = await CliRun.Succeeds(["profile", "--out", folder["p"], "--", .. Generate(folder["profiled.png"])]);
        Assert.Equal(File.ReadAllBytes(folder["alone.png"]), File.ReadAllBytes(folder["profiled.png"]));
        // The command's own output comes first, as it is without.
        Assert.StartsWith(alone.Output.Replace("alone.png", "profiled.png"), run.Output);
        Assert.Contains(run.OutputLines, line => line.StartsWith("all ops ", StringComparison.Ordinal));
        Assert.Contains(run.OutputLines, line => line.StartsWith("wall time ", StringComparison.Ordinal) && line.EndsWith("100.0 %", StringComparison.Ordinal));
        Assert.Equal([Path.Combine(folder["p"], "trace.json"), Path.Combine(folder["p"], "profile.html")], run.OutputLines[^2..]);

        using var trace = JsonDocument.Parse(File.ReadAllBytes(run.OutputLines[^2]));
        var events = trace.RootElement.GetProperty("traceEvents").EnumerateArray().ToList();
        Assert.Equal(0, trace.RootElement.GetProperty("otherData").GetProperty("dropped_events").GetInt64());
        var complete = events.Where(happened => happened.GetProperty("ph").GetString() == "X").ToList();
        Assert.All(complete, happened => Assert.True(happened.GetProperty("ts").GetDouble() >= 0 && happened.GetProperty("dur").GetDouble() >= 0));
        Assert.Equal(16, complete.Count(happened => happened.GetProperty("name").GetString() == "Sample"));
        Assert.Contains(events, happened => happened.GetProperty("ph").GetString() == "C" && happened.GetProperty("args").GetProperty("bytes").GetInt64() > 0);

        var page = File.ReadAllText(run.OutputLines[^1]);
        foreach (var id in (string[])["roofline", "timeline", "memory", "flame", "ops", "places"]) Assert.Contains($"id=\"{id}\"", page);
        // Nothing is fetched: no address anywhere, no source, no import.
        Assert.DoesNotMatch(@"https?://|src=|@import|url\(", page);
        Assert.DoesNotMatch("NaN|Infinity|∞", Numbers().Replace(page, ""));
        Assert.Contains("decoder.conv_in", page);
    }

    [Fact]
    public async Task TrainingShowsItsStepsAndTheBackwardPassByModule()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("profile", "--out", folder["p"], "--json", "--", "train", "vqgan", "--ds", "shapes", "--scenes", "64", "--bs", "2", "--size", "32", "--channels", "8", "--multipliers", "1,2", "--blocks", "1,1", "--codes", "16", "--max-steps", "2", "--out", folder["run"], "--threads", "1");
        using var json = JsonDocument.Parse(run.Output);
        var places = json.RootElement.GetProperty("places").EnumerateArray().Select(place => (Name: place.GetProperty("name").GetString(), Calls: place.GetProperty("calls").GetInt64(), Depth: place.GetProperty("depth").GetInt32())).ToList();
        Assert.Contains(("step", 2L, 1), places);
        Assert.Contains(("backward", 2L, 2), places);
        Assert.Contains(places, place => place is ("decoder.conv_in", _, 3) && place.Calls >= 2);
        Assert.Contains(places, place => place.Name == "save");
        var ops = json.RootElement.GetProperty("ops").EnumerateArray().Select(op => op.GetProperty("op").GetString()).ToList();
        foreach (var op in (string[])["Conv2dBackwardFilter", "GroupNormBackward", "Adam"]) Assert.Contains(op, ops);
    }

    [Fact]
    public async Task ACommandWithoutADeviceHasNoOps()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("profile", "--out", folder["p"], "--", "tokenize", "a red apple", "--vocab", models.Vocabulary);
        Assert.Contains("opened no device", run.Error);
        Assert.Contains("id=\"ops\"", File.ReadAllText(folder["p/profile.html"]));
    }

    [Fact]
    public async Task WrongUseIsOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        await CliRun.Fails(CommandLine.BadUsage, "COMMAND", "profile");
        await CliRun.Fails(CommandLine.BadUsage, "profile of a profile", "profile", "--", "profile", "--", "devices");
        await CliRun.Fails(CommandLine.Failed, "--out", "profile", "--out", folder["file"], "--", "devices");
        await CliRun.Fails(CommandLine.BadUsage, "no-such-command", "profile", "--out", folder["p"], "--", "no-such-command");
        await CliRun.Fails(CommandLine.BadUsage, "--candidates", ["profile", "--out", folder["p"], "--", .. Generate(folder["x.png"])[..5], "--candidates", "-1"]);
        Assert.False(Directory.Exists(folder["p"]));
    }

    [Fact]
    public async Task AJobThatFailsIsProfiledAsFarAsItWent()
    {
        using var folder = new TemporaryFolder();
        var words = Generate(folder["x.png"]);
        words[Array.IndexOf(words, models.Gpt)] = models.GptOfBadLogits;
        var run = await CliRun.Of(["profile", "--out", folder["p"], "--", .. words]);
        Assert.Equal(CommandLine.Failed, run.ExitCode);
        Assert.Contains("--gpt", run.Error);
        Assert.Contains(run.OutputLines, line => line.StartsWith("MatMul ", StringComparison.Ordinal));
        Assert.False(File.Exists(folder["x.png"]));
    }

    // Hints and cells of ops without arithmetic have no number to be checked.
    [GeneratedRegex("<pre>.*?</pre>", RegexOptions.Singleline)]
    private static partial Regex Numbers();
}
