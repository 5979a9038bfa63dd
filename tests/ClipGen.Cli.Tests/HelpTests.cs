namespace ClipGen.Cli.Tests;

/// <summary>Help texts, versions and the two commands that measure.</summary>
public sealed class HelpTests
{
    private static readonly string[] Commands = ["generate", "reconstruct", "encode", "decode", "embed", "tokenize", "inspect", "convert", "merge-codes", "download", "train", "dataset", "eval", "trace", "explain", "profile", "bench", "kernels", "selftest", "devices", "doctor", "completion"];

    private static readonly Dictionary<string, string[]> Groups = new() { ["train"] = ["vqgan", "gpt", "clip"], ["dataset"] = ["info", "pack", "verify"], ["eval"] = ["shapes", "reconstruction"], ["kernels"] = ["bench", "list", "ptx", "sass", "stats"] };

    [Fact]
    public async Task CommandsInTheirOrder()
    {
        var run = await CliRun.Succeeds("--help");
        Assert.Equal(Commands, CommandsOf(run));
        Assert.DoesNotContain("Examples:", run.Output);
    }

    /// <summary>Every command that does something, those of groups with the group's name in front.</summary>
    public static TheoryData<string> Names => [.. Commands.Except(Groups.Keys), .. Groups.SelectMany(group => group.Value.Select(name => $"{group.Key} {name}"))];

    [Fact]
    public async Task GroupsListTheirCommands()
    {
        foreach (var (group, names) in Groups)
            Assert.Equal(names, CommandsOf(await CliRun.Succeeds(group, "--help")));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task EveryCommandHasExamplesAndTheCommonOptions(string command)
    {
        var run = await CliRun.Succeeds([.. command.Split(' '), "--help"]);
        Assert.Equal("", run.Error);
        foreach (var option in new[] { "--device", "--threads", "--seed", "--quiet", "--json" }) Assert.Contains(option, run.Output);
        var examples = run.OutputLines.SkipWhile(line => line != "Examples:").Skip(1).ToArray();
        Assert.NotEmpty(examples);
        Assert.All(examples, line => Assert.StartsWith($"  clipgen {command} ", line + " "));
    }

    private static IEnumerable<string> CommandsOf(CliRun help) =>
        help.OutputLines.SkipWhile(line => line != "Commands:").Skip(1).Where(line => line.Length > 2 && line[2] != ' ').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]);

    [Fact]
    public async Task Version() => Assert.Matches(@"^\d+\.\d+", (await CliRun.Succeeds("--version")).Output);

    [Fact]
    public async Task BenchPrintsOneLineOfJsonPerCase()
    {
        var run = await CliRun.Succeeds("bench", "gemm:8x16x32", "conv:3-8-3@8x8", "attention:1", "--repeat", "2", "--json", "--threads", "1");
        Assert.Equal(3, run.OutputLines.Length);
        foreach (var (line, name) in run.OutputLines.Zip(["gemm:8x16x32", "conv:3-8-3@8x8", "attention:1"]))
        {
            using var json = System.Text.Json.JsonDocument.Parse(line);
            Assert.Equal(name, json.RootElement.GetProperty("case").GetString());
            Assert.Equal(1, json.RootElement.GetProperty("threads").GetInt32());
            var (low, median, high) = (json.RootElement.GetProperty("min_s").GetDouble(), json.RootElement.GetProperty("median_s").GetDouble(), json.RootElement.GetProperty("max_s").GetDouble());
            Assert.True(0 < low && low <= median && median <= high, line);
            Assert.True(json.RootElement.GetProperty("flops").GetDouble() > 0);
            var (fifth, eighty) = (json.RootElement.GetProperty("p20_s").GetDouble(), json.RootElement.GetProperty("p80_s").GetDouble());
            Assert.True(low <= fifth && fifth <= median && median <= eighty && eighty <= high, line);
            Assert.True(json.RootElement.GetProperty("first_s").GetDouble() > 0);
            Assert.False(json.RootElement.TryGetProperty("verdict", out _));
        }
    }

    [Fact]
    public async Task DevicesTellsPeaks()
    {
        using var json = System.Text.Json.JsonDocument.Parse((await CliRun.Succeeds("devices", "--json", "--threads", "1")).Output);
        var device = Assert.Single(json.RootElement.GetProperty("devices").EnumerateArray());
        Assert.Equal("cpu", device.GetProperty("device").GetString());
        Assert.True(device.GetProperty("peaks")[0].GetProperty("gflops").GetDouble() > 0);
    }
}
