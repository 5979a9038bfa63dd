using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>merge-codes</c>.</summary>
public sealed class MergeCodesTests(ShapesModel shapes)
{
    [Theory]
    [InlineData("small.safetensors")]
    [InlineData("small.pt")]
    public async Task ASmallerCodebookAndAllElseAsItWas(string file)
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("merge-codes", shapes.VqGan, folder[file], "--ds", "shapes", "--codes", "5", "--count", "24");
        Assert.Matches($@"^32 codes, \d+ of them in use over 24 pictures, \d+\.\d\d nats a code; now 5, \d+\.\d\d nats: {folder[file]}\n$", run.Output);
        Assert.Contains("squares of pictures", run.Error);

        using (Checkpoint before = Checkpoint.Open(shapes.VqGan), after = Checkpoint.Open(folder[file]))
        {
            string Plain(string name) => name.StartsWith("model.", StringComparison.Ordinal) ? name["model.".Length..] : name;
            var written = after.Tensors.ToDictionary(tensor => Plain(tensor.Name));
            Assert.Equal(before.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), written.Keys.Order(StringComparer.Ordinal));
            foreach (var tensor in before.Tensors)
            {
                if (tensor.Name == "quantizer.embedding.weight") Assert.Equal([5L, tensor.Shape[1]], written[tensor.Name].Shape);
                else Assert.Equal(Floats(tensor), Floats(written[tensor.Name]));
            }
        }
        // Other commands take it.
        var measured = await CliRun.Succeeds("eval", "reconstruction", "--vqgan", folder[file], "--ds", "shapes", "--size", "64", "--count", "4", "--quiet");
        Assert.Matches(@"of 5 codes used\n$", measured.Output);
    }

    [Fact]
    public async Task TheDecoderGetsUsedToTheNewCodes()
    {
        using var folder = new TemporaryFolder();
        await CliRun.Succeeds(TinyTraining.VqGan(folder["run"], "--epochs", "1"));
        await CliRun.Succeeds("merge-codes", Path.Combine(folder["run"], "latest.pt"), folder["merged.safetensors"], "--ds", "shapes", "--size", "24", "--codes", "5", "--count", "24", "--quiet");
        string[] frozen = ["train", "vqgan", "--ds", "shapes", "--scenes", "64", "--val-share", "0.1", "--bs", "4", "--size", "24", "--out", folder["decoder"], "--freeze-encoder"];
        Assert.Contains("needs a trained model", await CliRun.Fails(2, "--freeze-encoder:", [.. frozen, "--quiet"]));
        string[] from = [.. frozen, "--resume", folder["merged.safetensors"], "--max-steps", "3"];
        Assert.Contains("--freeze-encoder keeps", await CliRun.Fails(2, "--restart-codes:", [.. from, "--restart-codes", "10", "--quiet"]));
        await CliRun.Succeeds(from);
        using Checkpoint before = Checkpoint.Open(folder["merged.safetensors"]), after = Checkpoint.Open(Path.Combine(folder["decoder"], "latest.pt"));
        foreach (var tensor in before.Tensors)
        {
            if (tensor.Name.StartsWith("encoder.", StringComparison.Ordinal) || tensor.Name == "quantizer.embedding.weight") Assert.Equal(Floats(tensor), Floats(after.Find($"model.{tensor.Name}")!));
            if (tensor.Name == "decoder.conv_in.weight") Assert.NotEqual(Floats(tensor), Floats(after.Find($"model.{tensor.Name}")!));
        }
    }

    private static float[] Floats(CheckpointTensor tensor)
    {
        var values = new float[tensor.Shape.Aggregate(1L, (product, size) => product * size)];
        tensor.ReadFloats(0, values);
        return values;
    }

    [Fact]
    public async Task Json()
    {
        using var folder = new TemporaryFolder();
        var run = await CliRun.Succeeds("merge-codes", shapes.VqGan, folder["a.safetensors"], "--ds", "shapes", "--codes", "5", "--count", "24", "--json", "--quiet");
        Assert.Equal("", run.Error);
        using var json = JsonDocument.Parse(run.Output);
        var root = json.RootElement;
        Assert.Equal((24, 5, 32), (root.GetProperty("pictures").GetInt32(), root.GetProperty("codes").GetInt32(), root.GetProperty("former_codes").GetInt32()));
        Assert.True(root.GetProperty("entropy_nats").GetDouble() <= root.GetProperty("former_entropy_nats").GetDouble());
        // The same pictures give the same file.
        await CliRun.Succeeds("merge-codes", shapes.VqGan, folder["b.safetensors"], "--ds", "shapes", "--codes", "5", "--count", "24", "--quiet", "--threads", "1");
        Assert.Equal(File.ReadAllBytes(folder["a.safetensors"]), File.ReadAllBytes(folder["b.safetensors"]));
    }

    [Fact]
    public async Task WhatCannotBe()
    {
        using var folder = new TemporaryFolder();
        var (source, target) = (shapes.VqGan, folder["out.safetensors"]);
        Assert.Contains("--codes 32", await CliRun.Fails(2, "clipgen merge-codes:", "merge-codes", source, target, "--ds", "shapes", "--codes", "32"));
        Assert.Contains("--codes 0", await CliRun.Fails(2, "clipgen merge-codes:", "merge-codes", source, target, "--ds", "shapes", "--codes", "0"));
        Assert.Contains("--count 0", await CliRun.Fails(2, "clipgen merge-codes:", "merge-codes", source, target, "--ds", "shapes", "--codes", "5", "--count", "0"));
        Assert.Contains("choose another name", await CliRun.Fails(2, "clipgen merge-codes:", "merge-codes", source, source, "--ds", "shapes", "--codes", "5"));
        Assert.Contains("keep fewer codes", await CliRun.Fails(1, "clipgen merge-codes:", "merge-codes", source, target, "--ds", "shapes", "--codes", "31", "--count", "1", "--quiet"));
        Assert.Contains("expected a VQ-GAN", await CliRun.Fails(1, "clipgen merge-codes:", "merge-codes", shapes.Gpt, target, "--ds", "shapes", "--codes", "5"));
        Assert.Empty(folder.Names);
    }
}
