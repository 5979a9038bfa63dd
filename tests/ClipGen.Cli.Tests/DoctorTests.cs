using System.Text.Json;

namespace ClipGen.Cli.Tests;

/// <summary><c>doctor</c> and <c>completion</c>.</summary>
public sealed class DoctorTests
{
    [Fact]
    public async Task EveryFindingThatIsNotGoodSaysWhatToDo()
    {
        using var json = JsonDocument.Parse((await CliRun.Succeeds("doctor", "--json")).Output);
        var findings = json.RootElement.GetProperty("findings").EnumerateArray().ToDictionary(finding => finding.GetProperty("what").GetString()!, finding => finding);
        Assert.Equal([".NET", "processor", "memory", "disk", "pictures", "built-in model", "released files", "vocabulary", "CUDA", "ptxas"], findings.Keys);
        // Where the tests run, these are there.
        foreach (var needed in (string[])[".NET", "processor", "pictures"]) Assert.Equal("good", findings[needed].GetProperty("health").GetString());
        foreach (var finding in findings.Values)
        {
            Assert.NotEqual("", finding.GetProperty("found").GetString());
            Assert.NotEqual("missing", finding.GetProperty("health").GetString());
            if (finding.GetProperty("health").GetString() == "good") Assert.Equal(JsonValueKind.Null, finding.GetProperty("remedy").ValueKind);
        }
        Assert.Equal(findings["CUDA"].GetProperty("health").GetString() == "good", Kernels.CudaDevices.Find().Count > 0);
        Assert.Equal(findings["ptxas"].GetProperty("health").GetString() == "good", Kernels.PtxAssembler.Path is not null);
    }

    [Fact]
    public async Task TheTableHasALinePerFindingAndOnePerRemedy()
    {
        var lines = (await CliRun.Succeeds("doctor")).OutputLines;
        Assert.Equal(10, lines.Count(line => line[0] != ' '));
        for (var i = 0; i < lines.Length; i++)
            if (lines[i].StartsWith("optional", StringComparison.Ordinal) && !lines[i].Contains("can't be told", StringComparison.Ordinal)) Assert.StartsWith("     ", lines[i + 1]);
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _clipgen clipgen")]
    [InlineData("zsh", "compdef _clipgen clipgen")]
    [InlineData("fish", "complete -c clipgen")]
    [InlineData("pwsh", "Register-ArgumentCompleter")]
    public async Task EachShellHasAScriptThatAsksTheProgram(string shell, string line)
    {
        var script = (await CliRun.Succeeds("completion", shell)).Output;
        Assert.Contains(line, script);
        Assert.Contains("[suggest:", script);
        await CliRun.Fails(CommandLine.BadUsage, "tcsh", "completion", "tcsh");
    }

    [Theory]
    [InlineData("clipgen gene", new[] { "generate" })]
    [InlineData("clipgen train v", new[] { "vqgan" })]
    [InlineData("clipgen generate --expl", new[] { "--explain", "--explain-layer" })]
    public async Task TheProgramAnswersWhatComesNext(string typed, string[] expected)
    {
        var found = (await CliRun.Succeeds($"[suggest:{typed.Length}]", typed)).OutputLines.Select(line => line.Trim());
        Assert.Equal(expected, found.Where(word => word.StartsWith(typed.Split(' ')[^1], StringComparison.Ordinal)));
    }
}
