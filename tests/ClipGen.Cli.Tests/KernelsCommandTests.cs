using System.Text.Json;
using ClipGen.Kernels;

namespace ClipGen.Cli.Tests;

/// <summary><c>kernels sass</c> and <c>kernels stats</c>, with the CUDA toolkit and without.</summary>
public sealed class KernelsCommandTests
{
    [Fact]
    public async Task MachineCodeOrOneLineThatSaysWhatIsMissing()
    {
        if (PtxAssembler.Path is null)
        {
            foreach (var command in (string[])["sass", "stats"]) await CliRun.Fails(CommandLine.Failed, "ptxas was not found", "kernels", command, "LayerNorm");
            return;
        }
        Assert.Contains("EXIT", (await CliRun.Succeeds("kernels", "sass", "LayerNorm", "--capability", "80")).Output);
        using var json = JsonDocument.Parse((await CliRun.Succeeds("kernels", "stats", "LayerNorm", "--json")).Output);
        var stats = json.RootElement;
        Assert.True(stats.GetProperty("instructions").GetProperty("EXIT").GetInt32() > 0);
        foreach (var card in (string[])["sm_80", "sm_86", "sm_89", "sm_90"])
        {
            var fit = stats.GetProperty("occupancy").GetProperty(card);
            Assert.Equal(fit.GetProperty("groups").GetInt32() * 4, fit.GetProperty("warps").GetInt32());
            Assert.InRange(fit.GetProperty("share").GetDouble(), 0.05, 1);
        }
    }

    [Fact]
    public async Task WrongUseIsOneLine()
    {
        await CliRun.Fails(CommandLine.BadUsage, "no kernel 'NoSuch'", "kernels", "sass", "NoSuch");
        await CliRun.Fails(CommandLine.BadUsage, "--capability", "kernels", "sass", "LayerNorm", "--capability", "75");
        await CliRun.Fails(CommandLine.BadUsage, "--group", "kernels", "stats", "LayerNorm", "--group", "2000");
    }
}
