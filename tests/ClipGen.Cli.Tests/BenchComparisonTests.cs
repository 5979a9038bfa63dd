using System.Globalization;
using System.Text.Json;

namespace ClipGen.Cli.Tests;

/// <summary><c>bench --compare</c>: what is slower is said to be slower, and noise is not.</summary>
public sealed class BenchComparisonTests
{
    private const string Case = "gemm:64x128x128";

    [Fact]
    public async Task TheSameProgramIsTheSameAndAFasterPastMakesItSlower()
    {
        using var folder = new TemporaryFolder();
        var measured = Assert.Single((await CliRun.Succeeds("bench", Case, "--repeat", "40", "--threads", "1", "--json")).OutputLines);
        // A run beside others may take twice as long and more; thirty times is no noise.
        File.WriteAllText(folder["fast.jsonl"], Scaled(measured, 1 / 30.0));
        File.WriteAllText(folder["slow.jsonl"], Scaled(measured, 30));
        File.WriteAllText(folder["wide.jsonl"], Scaled(Scaled(measured, 30, "max_s", "p80_s"), 1 / 30.0, "min_s", "p20_s"));
        Assert.Equal(("slower", CommandLine.Failed), await Verdict(folder["fast.jsonl"]));
        Assert.Equal(("faster", 0), await Verdict(folder["slow.jsonl"]));
        // Where the runs of before spread widely, the new ones lie among them.
        Assert.Equal(("same", 0), await Verdict(folder["wide.jsonl"]));
    }

    [Fact]
    public async Task OnlyWhatIsComparableIsCompared()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["old.jsonl"], $$"""
            {"case":"{{Case}}","device":"cpu","threads":1,"median_s":9,"min_s":8,"max_s":10}
            {"case":"gemm:8x8x8","device":"cpu","threads":2,"median_s":9,"min_s":8,"max_s":10}

            """);
        var run = await CliRun.Succeeds("bench", Case, "gemm:8x8x8", "--repeat", "3", "--threads", "1", "--compare", folder["old.jsonl"]);
        Assert.EndsWith(" faster", run.OutputLines[1]);
        Assert.EndsWith("not measured before", run.OutputLines[2]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("{\"case\":\"gemm:1x1x1\",\"device\":\"cpu\",\"threads\":1,\"median_s\":0,\"min_s\":0,\"max_s\":0}")]
    [InlineData("{\"case\":\"gemm:1x1x1\",\"device\":\"cpu\",\"threads\":\"one\",\"median_s\":1,\"min_s\":1,\"max_s\":1}")]
    public async Task AFileOfOtherThingsIsRefused(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["old.jsonl"], text);
        await CliRun.Fails(CommandLine.BadUsage, "--compare", "bench", "gemm:1x1x1", "--compare", folder["old.jsonl"]);
        await CliRun.Fails(CommandLine.Failed, "--compare", "bench", "gemm:1x1x1", "--compare", folder["missing.jsonl"]);
    }

    private static async Task<(string, int)> Verdict(string before)
    {
        var run = await CliRun.Of("bench", Case, "--repeat", "40", "--threads", "1", "--json", "--compare", before);
        using var json = JsonDocument.Parse(Assert.Single(run.OutputLines));
        Assert.Equal(json.RootElement.GetProperty("median_s").GetDouble() / json.RootElement.GetProperty("before_median_s").GetDouble(), json.RootElement.GetProperty("ratio").GetDouble(), 1e-9);
        return (json.RootElement.GetProperty("verdict").GetString()!, run.ExitCode);
    }

    private static string Scaled(string line, double factor, params string[] only)
    {
        using var json = JsonDocument.Parse(line);
        return "{" + string.Join(',', json.RootElement.EnumerateObject().Select(property => property.Name.EndsWith("_s", StringComparison.Ordinal) && (only.Length == 0 || only.Contains(property.Name))
            ? $"\"{property.Name}\":{(property.Value.GetDouble() * factor).ToString("R", CultureInfo.InvariantCulture)}"
            : $"\"{property.Name}\":{property.Value.GetRawText()}")) + "}";
    }
}
