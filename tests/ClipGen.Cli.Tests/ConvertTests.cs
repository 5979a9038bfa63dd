using System.Numerics;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>convert</c>.</summary>
public sealed class ConvertTests(SmallModels models, ShapesModel shapes)
{
    private static readonly string Trained = RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt");

    [Fact]
    public async Task ThereAndBackIsTheSameTree()
    {
        using var folder = new TemporaryFolder();
        PyTorchWriter.Write(folder["in.pt"], PyTorchValue.Dict(
            ("model", PyTorchValue.StateDict([TensorSource.From("w", [1.5f, -2f], 1, 2), TensorFiles.Longs("a.count", [7])])),
            ("optimizer", PyTorchValue.Dict(
                ("state", PyTorchValue.Dict([((PyTorchValue)0L, PyTorchValue.Dict(("exp_avg", TensorSource.From("", [0.25f, 1e-30f], 2)), ("step", TensorSource.From("", [3f]))))])),
                ("param_groups", PyTorchValue.List(PyTorchValue.Dict(("lr", 1e-3), ("betas", PyTorchValue.Tuple(0.9, 0.95)), ("foreach", PyTorchValue.None), ("amsgrad", false), ("params", PyTorchValue.List(0L))))))),
            ("scaler", PyTorchValue.Dict(Array.Empty<(string, PyTorchValue)>())),
            ("epoch", BigInteger.Pow(10, 30)), ("loss", double.PositiveInfinity), ("name", "3"), ("none", PyTorchValue.None)));
        await CliRun.Succeeds("convert", folder["in.pt"], folder["middle.safetensors"]);
        var run = await CliRun.Succeeds("convert", folder["middle.safetensors"], folder["out.pt"]);
        Assert.Matches($"^4 tensors, [0-9,]+ bytes: {folder["out.pt"]}\n$", run.Output);
        Assert.Equal(["in.pt", "middle.safetensors", "out.pt"], folder.Names);

        using Checkpoint before = Checkpoint.Open(folder["in.pt"]), after = Checkpoint.Open(folder["out.pt"]);
        // Equal description, storages and order give equal bytes.
        Assert.Equal(File.ReadAllBytes(folder["in.pt"]), File.ReadAllBytes(folder["out.pt"]));
        Assert.Equal(NodeKind.Tuple, after.Root["optimizer"]!["param_groups"]!.Items[0]["betas"]!.Kind);
        Assert.Equal(before.Values, after.Values);

        using var middle = Checkpoint.Open(folder["middle.safetensors"]);
        Assert.Equal(["model.a.count", "model.w", "optimizer.state.0.exp_avg", "optimizer.state.0.step"], middle.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        Assert.Equal("0.001", middle.Values["__metadata__.optimizer.param_groups.0.lr"]);
        Assert.Equal("pt", middle.Values["__metadata__.format"]);
    }

    public static TheoryData<string> ReadableFiles => [.. Directory.EnumerateFiles(Path.Combine(RepositoryPaths.Golden, "checkpoints"), "*.pt").Select(path => Path.GetFileName(path)!)
        .Where(name => !name.StartsWith("bad_", StringComparison.Ordinal) && !name.StartsWith("evil_", StringComparison.Ordinal) && !name.StartsWith("torchscript_", StringComparison.Ordinal) && name != "zip_bare_tensor.pt")];

    /// <summary>Views, keys of all kinds, special numbers, both formats of PyTorch.</summary>
    [Theory]
    [MemberData(nameof(ReadableFiles))]
    public async Task OddFilesThereAndBack(string name)
    {
        using var folder = new TemporaryFolder();
        await CliRun.Succeeds("convert", RepositoryPaths.GoldenFile("checkpoints", name), folder["middle.safetensors"], "--quiet");
        await CliRun.Succeeds("convert", folder["middle.safetensors"], folder["out.pt"]);
        AssertSame(RepositoryPaths.GoldenFile("checkpoints", name), folder["out.pt"]);
        await CliRun.Succeeds("convert", folder["out.pt"], folder["again.safetensors"]);
        Assert.Equal(File.ReadAllBytes(folder["middle.safetensors"]), File.ReadAllBytes(folder["again.safetensors"]));
    }

    [Fact]
    public async Task OptimiserStateOfTheReferenceSurvives()
    {
        using var folder = new TemporaryFolder();
        var reference = RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt");
        await CliRun.Succeeds("convert", reference, folder["middle.safetensors"]);
        await CliRun.Succeeds("convert", folder["middle.safetensors"], folder["out.pt"]);
        AssertSame(reference, folder["out.pt"]);
    }

    [Fact]
    public async Task OfTorchScriptTheStateDictIsTaken()
    {
        using var folder = new TemporaryFolder();
        var archive = RepositoryPaths.GoldenFile("checkpoints", "torchscript_clip.pt");
        await CliRun.Succeeds("convert", archive, folder["out.pt"], "--quiet");
        using Checkpoint before = Checkpoint.Open(archive), after = Checkpoint.Open(folder["out.pt"]);
        Assert.Equal(before.Tensors.Select(tensor => tensor.ToString()), after.Tensors.Select(tensor => tensor.ToString()));
        Assert.Equal("collections.OrderedDict", after.Root.ClassName);
        Assert.Empty(after.Values);
    }

    private static void AssertSame(string expectedFile, string foundFile)
    {
        using Checkpoint before = Checkpoint.Open(expectedFile), after = Checkpoint.Open(foundFile);
        Assert.Equal(before.Values, after.Values);
        Assert.Equal(before.Tensors.Select(tensor => tensor.ToString()), after.Tensors.Select(tensor => tensor.ToString()));
        foreach (var tensor in before.Tensors)
        {
            byte[] expected = new byte[tensor.Count * tensor.Type.ByteSize()], found = new byte[expected.Length];
            tensor.ReadBytes(0, expected);
            after.Find(tensor.Name)!.ReadBytes(0, found);
            Assert.Equal(expected, found);
        }
    }

    [Fact]
    public async Task HalfPrecisionOfTheModelAlone()
    {
        using var folder = new TemporaryFolder();
        PyTorchWriter.Write(folder["in.pt"], PyTorchValue.Dict(
            ("model", PyTorchValue.StateDict([TensorSource.From("w", [1, 1 + 1f / 1024, 1 + 1f / 4096, 1 + 3f / 512, float.NaN, float.NegativeInfinity], 6), TensorFiles.Longs("count", [7])])),
            ("opt", PyTorchValue.Dict(("exp_avg_sq", TensorSource.From("", [1e-30f])))), ("epoch", 3L)));
        foreach (var (options, type, expected) in new[]
        {
            // 10 bits after the point, and 7.
            (new[] { "--half" }, ElementType.F16, new float[] { 1, 1 + 1f / 1024, 1, 1 + 3f / 512, float.NaN, float.NegativeInfinity }),
            (["--dtype", "bf16"], ElementType.BF16, [1, 1, 1, 1 + 1f / 128, float.NaN, float.NegativeInfinity]),
            (["--dtype", "f32"], ElementType.F32, [1, 1 + 1f / 1024, 1 + 1f / 4096, 1 + 3f / 512, float.NaN, float.NegativeInfinity]),
        })
            foreach (var name in new[] { "out.safetensors", "out.pt" })
            {
                await CliRun.Succeeds(["convert", folder["in.pt"], folder[name], .. options]);
                using var converted = Checkpoint.Open(folder[name]);
                Assert.Equal(type, converted.Find("model.w")!.Type);
                Assert.Equal(ElementType.I64, converted.Find("model.count")!.Type);
                Assert.Equal(ElementType.F32, converted.Find("opt.exp_avg_sq")!.Type);
                Assert.Equal(expected, TensorFiles.Read(folder[name])["model.w"].Values);
            }
    }

    [Fact]
    public async Task ValuesThatHalfPrecisionCannotHold()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["in.safetensors"], [TensorSource.From("fits", [65504], 1), TensorSource.From("large", [1, -70000], 2)]);
        var line = await CliRun.Fails(1, folder["in.safetensors"], "convert", folder["in.safetensors"], folder["out.safetensors"], "--half");
        Assert.Contains("'large' holds -70000", line);
        Assert.Equal(["in.safetensors"], folder.Names);
        await CliRun.Succeeds("convert", folder["in.safetensors"], folder["out.safetensors"], "--dtype", "bf16");
        Assert.Equal([65536], TensorFiles.Read(folder["out.safetensors"])["fits"].Values);
    }

    [Fact]
    public async Task WeightsAloneKeepConfigurationAndVocabulary()
    {
        using var folder = new TemporaryFolder();
        // To .pt and back, each way, the model stays usable.
        await CliRun.Succeeds("convert", shapes.Clip, folder["clip.pt"]);
        await CliRun.Succeeds("convert", shapes.Clip, folder["weights.pt"], "--weights-only");
        await CliRun.Succeeds("convert", folder["clip.pt"], folder["back.safetensors"], "--weights-only");
        var expected = (await CliRun.Succeeds("embed", "--text", "a red circle", "--clip", shapes.Clip, "--json")).Output;
        foreach (var name in new[] { "clip.pt", "weights.pt", "back.safetensors" })
            Assert.Equal(expected, (await CliRun.Succeeds("embed", "--text", "a red circle", "--clip", folder[name], "--json")).Output);
        Assert.Equal(File.ReadAllBytes(shapes.Clip), File.ReadAllBytes(folder["back.safetensors"]));
    }

    [Fact]
    public async Task WeightsAloneLeaveOutWhatOnlyTrainingUses()
    {
        using var folder = new TemporaryFolder();
        PyTorchWriter.Write(folder["run.pt"], PyTorchValue.Dict(
            ("model", PyTorchValue.StateDict(TinyShapesModel.VqGanTensors())), ("opt_g", PyTorchValue.Dict(("x", TensorSource.From("", [1f])))), ("epoch", 3L),
            ("clipgen", PyTorchValue.Dict(("configuration", """{"model":{"groups":4}}""")))));
        using var run = Checkpoint.Open(folder["run.pt"]);
        var weights = run.Tensors.Where(tensor => tensor.Name.StartsWith("model.", StringComparison.Ordinal)).Select(tensor => tensor.Name["model.".Length..]).ToArray();
        foreach (var name in new[] { "out.safetensors", "out.pt" })
            foreach (var keep in new[] { false, true })
            {
                await CliRun.Succeeds(["convert", folder["run.pt"], folder[name], "--weights-only", "--half", .. keep ? (string[])["--keep-discriminator"] : []]);
                using var converted = Checkpoint.Open(folder[name]);
                var prefix = name == "out.pt" ? "model." : "";
                Assert.Equal(weights.Where(tensor => keep || !tensor.StartsWith("discriminator.", StringComparison.Ordinal)).Select(tensor => prefix + tensor).Order(StringComparer.Ordinal), converted.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
                Assert.DoesNotContain("epoch", converted.Values.Keys);
                await CliRun.Succeeds("reconstruct", RepositoryPaths.GoldenFile("images", "files", "rgb_300x200.png"), "--vqgan", folder[name], "--size", "64", "--out", folder["both.png"]);
            }
    }

    [Fact]
    public async Task FilesWithoutADescriptionAreLaidOutAsTrainersDo()
    {
        using var folder = new TemporaryFolder();
        TensorSource[] tensors = [TensorSource.From("model.a.w", [1f, 2f], 2), TensorSource.From("opt_g.state.0.exp_avg", [3f], 1), TensorSource.From("opt_g.state.10.exp_avg", [4f], 1), TensorSource.From("opt_g.state.2.exp_avg", [5f], 1), TensorSource.From("clipgen.usage", [6f], 1)];
        SafetensorsWriter.Write(folder["run.safetensors"], tensors, new Dictionary<string, string> { ["epoch"] = "12", ["loss_recon"] = "0.5", ["clipgen.seed"] = "9", ["author"] = "someone" });
        await CliRun.Succeeds("convert", folder["run.safetensors"], folder["run.pt"]);
        using var converted = Checkpoint.Open(folder["run.pt"]);
        Assert.Equal("collections.OrderedDict", converted.Root["model"]!.ClassName);
        Assert.Equal([0, 2, 10], converted.Root["opt_g"]!["state"]!.Entries.Select(entry => (int)entry.Key.Int));
        Assert.Equal(tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), converted.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        Assert.Equal((12, 0.5), (converted.FindInteger("epoch"), converted.FindNumber("loss_recon")));
        Assert.Equal(("9", "someone"), (converted.Values["clipgen.seed"], converted.Values["__metadata__.author"]));

        SafetensorsWriter.Write(folder["bare.safetensors"], [TensorSource.From("w", [1f], 1)], new Dictionary<string, string> { ["format"] = "pt" });
        await CliRun.Succeeds("convert", folder["bare.safetensors"], folder["bare.pt"]);
        using var bare = Checkpoint.Open(folder["bare.pt"]);
        Assert.Equal("w", Assert.Single(bare.Tensors).Name);
        Assert.Empty(bare.Values);
    }

    [Fact]
    public async Task Json()
    {
        using var folder = new TemporaryFolder();
        using var json = JsonDocument.Parse((await CliRun.Succeeds("convert", models.Gpt, folder["out.safetensors"], "--json")).Output);
        Assert.Equal(folder["out.safetensors"], json.RootElement.GetProperty("file").GetString());
        Assert.Equal(new FileInfo(folder["out.safetensors"]).Length, json.RootElement.GetProperty("bytes").GetInt64());
        Assert.True(json.RootElement.GetProperty("tensors").GetInt32() > 20);
    }

    [Fact]
    public async Task ADescriptionThatDoesNotFitIsRefused()
    {
        using var folder = new TemporaryFolder();
        foreach (var description in new[] { "[", "{\"dict\":[[\"v\",\"tensor\"]]}", "{\"dict\":[]}", "{\"dict\":[[\"w\",\"int\"]]}", "{\"tree\":[]}", "{\"list\":[\"tensor\"]}", "7", "{\"dict\":[[\"w\",\"tensor\"],[\"n\",\"int\"]]}" })
        {
            SafetensorsWriter.Write(folder["in.safetensors"], [TensorSource.From("w", [1f], 1)], new Dictionary<string, string> { [TreeDescription.Key] = description, ["n"] = "three" });
            await CliRun.Fails(1, TreeDescription.Key, "convert", folder["in.safetensors"], folder["out.pt"]);
        }
        Assert.Equal(["in.safetensors"], folder.Names);
    }

    [Theory]
    [InlineData(2, "--dtype", "--dtype", "f8")]
    [InlineData(2, "--half", "--half", "--dtype", "bf16")]
    [InlineData(2, "--keep-discriminator", "--keep-discriminator")]
    public async Task OptionsThatDoNotFit(int code, string culprit, params string[] options)
    {
        using var folder = new TemporaryFolder();
        await CliRun.Fails(code, culprit, ["convert", Trained, folder["out.safetensors"], .. options]);
        Assert.Empty(folder.Names);
    }

    [Fact]
    public async Task FilesThatDoNotFit()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Trained, folder["in.pt"]);
        await CliRun.Fails(2, folder["in.pt"], "convert", folder["in.pt"], folder["in.pt"]);
        await CliRun.Fails(2, ".safetensors", "convert", folder["in.pt"], folder["out.bin"]);
        await CliRun.Fails(1, folder["none.pt"], "convert", folder["none.pt"], folder["out.pt"]);
        await CliRun.Fails(1, "no model", "convert", RepositoryPaths.GoldenFile("checkpoints", "zip_state_dict.pt"), folder["out.pt"], "--weights-only");
        Assert.Equal(["in.pt"], folder.Names);
    }
}
