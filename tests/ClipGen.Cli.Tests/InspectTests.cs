using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>inspect</c>.</summary>
public sealed class InspectTests(SmallModels models)
{
    /// <summary>Its tensors may be read; its code must stay what it is.</summary>
    private const string HostileCode = "evil_torchscript_code.pt";

    [Fact]
    public async Task Json()
    {
        var run = await CliRun.Succeeds("inspect", RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"), "--json");
        using var json = JsonDocument.Parse(run.Output);
        var root = json.RootElement;
        Assert.Equal(["format", "tensors", "values"], root.EnumerateObject().Select(part => part.Name));
        Assert.Equal("pytorch-zip", root.GetProperty("format").GetString());
        var tensors = root.GetProperty("tensors").EnumerateArray().ToDictionary(tensor => tensor.GetProperty("name").GetString()!);
        Assert.Equal("F32", tensors["model.pos_emb"].GetProperty("dtype").GetString());
        Assert.Equal([1L, 16, 64], tensors["model.pos_emb"].GetProperty("shape").Deserialize<long[]>()!);
        Assert.Equal("BOOL", tensors["model.blocks.0.mask"].GetProperty("dtype").GetString());
        var values = root.GetProperty("values");
        Assert.Equal(1, values.GetProperty("epoch").GetInt32());
        Assert.Equal("inf", values.GetProperty("val_loss").GetString());
        Assert.Equal(0.9, values.GetProperty("optimizer.param_groups.0.betas.0").GetDouble());
        Assert.False(values.GetProperty("optimizer.param_groups.0.amsgrad").GetBoolean());
    }

    [Theory]
    [InlineData("clip", "a CLIP model")]
    [InlineData("vqgan", "a VQ-GAN")]
    [InlineData("gpt", "a GPT over picture codes")]
    public async Task TableNamesTheModel(string model, string kind)
    {
        var run = await CliRun.Succeeds("inspect", RepositoryPaths.GoldenFile(model, $"{model}_tiny.pt"));
        Assert.Equal($"format pytorch-zip, model: {kind}", run.OutputLines[^1]);
        Assert.Matches(@"^[\d,]+ tensors, [\d,]+ elements, [\d,]+ bytes; [\d,]+ values?$", run.OutputLines[^2]);
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task TotalsAreExact()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["x.safetensors"], [TensorSource.From("b.w", new float[6], 2, 3), TensorFiles.Longs("long", [1, 2], 2)], new Dictionary<string, string> { ["note"] = "two\nlines" });
        var run = await CliRun.Succeeds("inspect", folder["x.safetensors"]);
        Assert.Contains("b.w   F32   [2, 3]", run.OutputLines);
        Assert.Contains("long  I64   [2]", run.OutputLines);
        Assert.Contains("2 tensors, 8 elements, 40 bytes; 1 value", run.OutputLines);
        Assert.Contains("__metadata__.note = \"two\\u000alines\"", run.OutputLines);
        Assert.Equal("format safetensors, model: none that is known here", run.OutputLines[^1]);
    }

    [Theory]
    [InlineData("torchscript_clip.pt", "torchscript")]
    [InlineData("legacy_nested.pt", "pytorch-legacy")]
    [InlineData("zip_big_ints.pt", "pytorch-zip")]
    [InlineData("zip_special_values.pt", "pytorch-zip")]
    [InlineData("zip_bare_tensor.pt", "pytorch-zip")]
    public async Task OtherContainers(string name, string format)
    {
        var path = RepositoryPaths.GoldenFile("checkpoints", name);
        using var json = JsonDocument.Parse((await CliRun.Succeeds("inspect", path, "--json")).Output);
        Assert.Equal(format, json.RootElement.GetProperty("format").GetString());
        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal(checkpoint.Tensors.Select(tensor => tensor.Name), json.RootElement.GetProperty("tensors").EnumerateArray().Select(tensor => tensor.GetProperty("name").GetString()));
        Assert.Equal(checkpoint.Values.Keys, json.RootElement.GetProperty("values").EnumerateObject().Select(value => value.Name));
        Assert.Contains($"format {format}", (await CliRun.Succeeds("inspect", path)).OutputLines[^1]);
    }

    [Fact]
    public async Task CodeInArchivesIsNeverRun()
    {
        var run = await CliRun.Succeeds("inspect", RepositoryPaths.GoldenFile("checkpoints", HostileCode));
        Assert.Contains("format torchscript", run.OutputLines[^1]);
        Assert.False(File.Exists("PWNED"));
    }

    public static TheoryData<string> Refused
    {
        get
        {
            using var json = JsonDocument.Parse(File.ReadAllText(RepositoryPaths.GoldenFile("checkpoints", "refuse.json")));
            return new TheoryData<string>(json.RootElement.EnumerateArray().Select(one => one.GetProperty("file").GetString()!).Where(name => name != HostileCode));
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task HostileFilesEndInOneLine(string name)
    {
        var path = RepositoryPaths.GoldenFile("checkpoints", name);
        await CliRun.Fails(1, path, "inspect", path);
        await CliRun.Fails(1, path, "inspect", path, "--json");
        // What the evil ones would leave behind if anything in them ran.
        Assert.False(File.Exists("PWNED"));
    }

    [Fact]
    public async Task SmallReleasedFilesAreRecognised()
    {
        Assert.EndsWith("a CLIP model", (await CliRun.Succeeds("inspect", models.Clip)).OutputLines[^1]);
        Assert.EndsWith("a VQ-GAN", (await CliRun.Succeeds("inspect", models.VqGan)).OutputLines[^1]);
        Assert.EndsWith("a GPT over picture codes", (await CliRun.Succeeds("inspect", models.Gpt)).OutputLines[^1]);
    }
}
