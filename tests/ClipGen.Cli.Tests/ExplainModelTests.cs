using System.Text.Json;
using ClipGen.Cli.Explaining;
using ClipGen.Models.VqGan;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>explain</c>: the modules are those of the model, and their figures fit together.</summary>
public sealed class ExplainModelTests(SmallModels models)
{
    [Fact]
    public async Task FiguresOfAVqGanFitTogether()
    {
        var modules = await Explain("vqgan", RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), "--size", "32", "--batch", "2");
        Assert.Equal("", modules[0].Path);
        // Every learned number of the file is in it once: those of modules, and the codebook, which is the model's own.
        Assert.Equal(861_740, modules[0].Parameters);
        var parts = modules.Where(module => module.Depth == 1).ToList();
        Assert.Equal(["encoder", "decoder", "discriminator"], parts.Select(part => part.Path));
        Assert.Equal(modules[0].Parameters, parts.Sum(part => part.Parameters) + 64 * 32);
        foreach (var (module, inside) in modules.Select((module, i) => (module, Inside(modules, i).ToList())).Where(pair => pair.Item2.Count > 0).Skip(1))
        {
            Assert.Equal(module.Parameters, inside.Sum(part => part.Parameters));
            // Adding the input of a block is work too, but little of it; attention itself is a block's own, and is not.
            Assert.InRange(inside.Sum(part => part.Flops), module.Type == "AttentionBlock" ? 1 : module.Flops * 0.9, module.Flops * (1 + 1e-9));
            Assert.True(inside.Sum(part => part.Seconds) <= module.Seconds * (1 + 1e-9));
        }
        var byPath = modules.ToDictionary(module => module.Path);
        Assert.Equal([2, 32, 32, 3], byPath["encoder"].Input);
        Assert.Equal(byPath["encoder"].Output, byPath["decoder"].Input);
        Assert.Equal([2, 32, 32, 3], byPath["decoder"].Output);
        Assert.Equal([2, 32, 32, 32], byPath["encoder.conv_in"].Output);
        // 3 x 3 x 3 products and sums for each of the 32 channels of each pixel.
        Assert.Equal(2.0 * 27 * 32 * 2 * 32 * 32, byPath["encoder.conv_in"].Flops);
        Assert.Equal(4L * 2 * 32 * 32 * 32, byPath["encoder.conv_in"].ActivationBytes);
    }

    [Fact]
    public async Task GptAndClip()
    {
        var gpt = await Explain("gpt", models.Gpt, "--heads", "4");
        Assert.Equal(["cond_proj", "blocks.0", "blocks.1", "norm", "head"], gpt.Where(module => module.Depth == 1).Select(module => module.Path));
        Assert.Equal([1, 16, 64], gpt.Single(module => module.Path == "blocks.1").Output);
        // In the order of the forward pass, not in that of the file.
        Assert.Equal(["norm1", "self_attn", "self_attn.out_proj", "norm2", "linear1", "linear2"], gpt.Where(module => module.Depth == 2 && module.Path.StartsWith("blocks.0.", StringComparison.Ordinal)).Select(module => module.Path["blocks.0.encoder.".Length..]));
        var clip = await Explain("clip", models.Clip, "--heads", "2");
        Assert.Contains(clip, module => module.Path == "visual.conv1");
        Assert.Contains(clip, module => module.Path == "transformer.resblocks.0");
        Assert.True(clip[0].Seconds > 0 && clip[0].Flops > 0);
    }

    [Fact]
    public async Task ThePageHoldsEveryModuleAndLinksToSources()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("explain", "vqgan", "--checkpoint", RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), "--size", "32", "--depth", "1", "--html", folder["model.html"]);
        Assert.Equal(folder["model.html"], run.OutputLines[^1]);
        Assert.Contains(run.OutputLines, line => line.StartsWith("  encoder ", StringComparison.Ordinal));
        Assert.DoesNotContain(run.OutputLines, line => line.Contains("encoder.conv_in", StringComparison.Ordinal));
        var page = File.ReadAllText(folder["model.html"]);
        foreach (var path in (string[])["encoder.conv_in", "decoder.up.0", "discriminator.head"]) Assert.Contains(path, page);
        Assert.DoesNotMatch(@"https?://|src=|@import|url\(", page);
        // Outside a checkout there is nothing to link to; inside one the links are relative.
        Assert.DoesNotContain("<a href", page);
        var inside = ModelPage.Render("a model", new Models.Explaining.ModelExplanation([new("", 0, typeof(VqGanModel), null, null, 1, 1, 1)], 1, 1), "cpu", Path.Combine(RepositoryPaths.Root, "docs", "x.html"));
        Assert.Contains("href=\"../src/ClipGen.Models/VqGan/VqGanModel.cs\"", inside);
    }

    [Fact]
    public void EveryModuleHasASource()
    {
        var types = new[] { typeof(VqGanModel).Assembly, typeof(Module).Assembly }.SelectMany(assembly => assembly.GetTypes()).Where(type => type.IsSubclassOf(typeof(Module))).ToList();
        Assert.True(types.Count > 12);
        foreach (var type in types)
        {
            var path = Path.Combine(RepositoryPaths.Root, ModelPage.SourceOf(type));
            Assert.True(File.Exists(path), $"{type.Name}: {path} is not there");
            Assert.Contains($"class {type.Name}", File.ReadAllText(path));
        }
    }

    [Fact]
    public async Task WrongUseIsOneLine()
    {
        using var folder = new TemporaryFolder();
        var vqgan = RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt");
        await CliRun.Fails(CommandLine.Failed, "--size 34", "explain", "vqgan", "--checkpoint", vqgan, "--size", "34");
        await CliRun.Fails(CommandLine.Failed, "vqgan_tiny.pt", "explain", "gpt", "--checkpoint", vqgan);
        await CliRun.Fails(CommandLine.BadUsage, "--batch", "explain", "vqgan", "--checkpoint", vqgan, "--batch", "0");
        await CliRun.Fails(CommandLine.BadUsage, "--depth", "explain", "vqgan", "--checkpoint", vqgan, "--depth", "-1");
        await CliRun.Fails(CommandLine.BadUsage, "--html", "explain", "vqgan", "--checkpoint", vqgan, "--html", folder["page.txt"]);
        await CliRun.Fails(CommandLine.BadUsage, "dalle", "explain", "dalle");
    }

    private static IEnumerable<Line> Inside(IReadOnlyList<Line> modules, int of)
    {
        for (var i = of + 1; i < modules.Count && modules[i].Depth > modules[of].Depth; i++)
            if (modules[i].Depth == modules[of].Depth + 1) yield return modules[i];
    }

    private static async Task<List<Line>> Explain(string kind, string checkpoint, params string[] more)
    {
        var run = await CliRun.Succeeds(["explain", kind, "--checkpoint", checkpoint, "--json", .. more]);
        using var json = JsonDocument.Parse(run.Output);
        return [.. json.RootElement.GetProperty("modules").EnumerateArray().Select(module => new Line(module.GetProperty("path").GetString()!, module.GetProperty("type").GetString()!, module.GetProperty("depth").GetInt32(), Axes(module.GetProperty("input")), Axes(module.GetProperty("output")),
            module.GetProperty("parameters").GetInt64(), module.GetProperty("flops").GetDouble(), module.GetProperty("activation_bytes").GetInt64(), module.GetProperty("seconds").GetDouble()))];

        static int[] Axes(JsonElement axes) => axes.ValueKind == JsonValueKind.Null ? [] : [.. axes.EnumerateArray().Select(axis => axis.GetInt32())];
    }

    private sealed record Line(string Path, string Type, int Depth, int[] Input, int[] Output, long Parameters, double Flops, long ActivationBytes, double Seconds);
}
