using System.Text.Json;
using ClipGen.Kernels;

namespace ClipGen.Cli.Tests;

/// <summary><c>kernels bench</c>, and <c>kernels sass</c> and <c>kernels stats</c>, with the CUDA toolkit and without.</summary>
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
        await CliRun.Fails(CommandLine.BadUsage, "no large case 'NoSuch'", "kernels", "bench", "NoSuch");
        await CliRun.Fails(CommandLine.BadUsage, "--repeat", "kernels", "bench", "Softmax", "--repeat", "0");
        await CliRun.Fails(CommandLine.BadUsage, "'Conv2d=fast' is no variant", "kernels", "bench", "Softmax", "--variant", "Conv2d=fast");
        await CliRun.Fails(CommandLine.BadUsage, "belongs to the CPU's kernels", "devices", "--device", "cuda", "--variant", "Conv2d=direct");
    }

    /// <summary>A line for every case at every level, one for every forced form of the op, and nothing but the form that is asked for.</summary>
    [Fact]
    public async Task TheLadderHasEveryForm()
    {
        var lines = await Lines("kernels", "bench", "Conv2d 1x16x16 512->512", "--repeat", "1", "--json");
        Assert.Equal([.. SimdLevels.Available.Select(level => level.ToString()), "Conv2d=direct", "Conv2d=tiles"], lines.Select(line => line.GetProperty("form").GetString()!));
        Assert.All(lines, line =>
        {
            Assert.Equal("Conv2d", line.GetProperty("op").GetString());
            Assert.True(line.GetProperty("median_s").GetDouble() > 0);
            Assert.True(line.GetProperty("peak_flops").GetDouble() > 0);
        });
        var forced = Assert.Single(await Lines("kernels", "bench", "Conv2d 1x16x16 512->512", "--repeat", "1", "--json", "--variant", "Conv2d=direct", "--variant", "Simd=vector128"));
        Assert.Equal(("Conv2d=direct Simd=vector128", "Vector128"), (forced.GetProperty("form").GetString(), forced.GetProperty("level").GetString()));
    }

    /// <summary>A forced form reaches the kernels, and one that only reads its operands otherwise gives the same picture, byte for byte.</summary>
    [Fact]
    public async Task FormsOfAProductGiveTheSamePicture()
    {
        using var folder = new TemporaryFolder();
        async Task<byte[]> Picture(string name, params string[] variant)
        {
            await CliRun.Succeeds(["generate", "--text", "a large red circle on a white background", "--model", "shapes", "--candidates", "1", "--out", folder[name], "--quiet", .. variant]);
            return await File.ReadAllBytesAsync(folder[name]);
        }
        var plain = await Picture("plain.png");
        Assert.Equal(plain, await Picture("packed.png", "--variant", "MatMul=packed"));
        Assert.Equal(plain, await Picture("in-place.png", "--variant", "MatMul=in-place"));
    }

    private static async Task<List<JsonElement>> Lines(params string[] arguments) =>
        [.. (await CliRun.Succeeds(arguments)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
}
