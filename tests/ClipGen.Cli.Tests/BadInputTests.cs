using ClipGen.Checkpoints;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary>
/// Whatever is wrong with files and options: the exit code, one line on the error stream that names the culprit, and nothing left behind,
/// neither a result nor a temporary file.
/// </summary>
public sealed class BadInputTests(SmallModels models)
{
    private const int Job = 1, Usage = 2;
    private static readonly string Photo = RepositoryPaths.GoldenFile("images", "files", "rgb_300x200.png");

    public static TheoryData<string, string> BadCheckpoints
    {
        get
        {
            var data = new TheoryData<string, string>();
            string[] places = ["generate --clip", "generate --vqgan", "generate --gpt", "reconstruct --vqgan", "encode --vqgan", "decode --vqgan", "embed --clip", "trace --checkpoint", "trace --input"];
            foreach (var place in places)
                foreach (var kind in new[] { "missing", "empty", "truncated", "html", "lfs", "picture", "folder", "evil", "wrong" })
                    data.Add(place, kind);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BadCheckpoints))]
    public async Task Checkpoints(string place, string kind)
    {
        using TemporaryFolder inputs = new(), outputs = new();
        var bad = kind switch
        {
            "missing" => inputs["missing.pt"],
            "empty" => RepositoryPaths.GoldenFile("checkpoints", "bad_empty.pt"),
            "html" => RepositoryPaths.GoldenFile("checkpoints", "bad_html.pt"),
            "lfs" => RepositoryPaths.GoldenFile("checkpoints", "bad_lfs_pointer.pt"),
            "evil" => RepositoryPaths.GoldenFile("checkpoints", "evil_reduce_os_system.pt"),
            "picture" => Photo,
            "folder" => inputs.Path,
            // Tensors of no model, and under no name that an input has.
            "wrong" => RepositoryPaths.GoldenFile("checkpoints", "zip_state_dict.pt"),
            _ => Truncated(inputs["truncated.pt"]),
        };
        SafetensorsWriter.Write(inputs["in.safetensors"], [TensorSource.From("image", new float[3 * 16 * 16], 1, 3, 16, 16)]);
        File.WriteAllText(inputs["codes.json"], "{\"codes\":[[[0]]]}");
        string[] job = place.Split(' ')[0] switch
        {
            "generate" => [.. Generate(outputs), "--save-each", outputs["each"]],
            "reconstruct" => ["reconstruct", Photo, "--out", outputs["out.png"]],
            "encode" => ["encode", Photo, "--out", outputs["out.json"]],
            "decode" => ["decode", inputs["codes.json"], "--out", outputs["out.png"]],
            "embed" => ["embed", "--image", Photo, "--out", outputs["out.safetensors"]],
            _ when place == "trace --input" => ["trace", "vqgan", "--out", outputs["out.safetensors"], "--checkpoint", models.VqGan],
            _ => ["trace", "vqgan", "--out", outputs["out.safetensors"], "--input", inputs["in.safetensors"]],
        };
        var option = place.Split(' ')[1];
        var at = Array.IndexOf(job, option);
        if (at >= 0) job[at + 1] = bad;
        else job = [.. job, option, bad];
        await CliRun.Fails(Job, bad, job);
        Assert.Empty(outputs.Names);
        Assert.False(File.Exists("PWNED"));
    }

    [Theory]
    [InlineData("--clip", "vqgan", "a CLIP model")]
    [InlineData("--vqgan", "gpt", "a VQ-GAN")]
    [InlineData("--gpt", "clip", "a GPT over picture codes")]
    public async Task AnotherModelsFile(string option, string given, string expected)
    {
        using var outputs = new TemporaryFolder();
        var path = given switch { "vqgan" => models.VqGan, "gpt" => models.Gpt, _ => models.Clip };
        var job = Generate(outputs);
        job[Array.IndexOf(job, option) + 1] = path;
        Assert.Contains($"expected {expected}", await CliRun.Fails(Job, path, job));
        Assert.Empty(outputs.Names);
    }

    [Fact]
    public async Task ModelsThatDoNotFitTogether()
    {
        using var outputs = new TemporaryFolder();
        foreach (var (gpt, reason) in new[] { (models.GptOfOtherCodes, "32 different codes"), (models.GptOfOtherEmbedding, "embeddings of 32"), (models.GptOfOddGrid, "15 codes") })
        {
            var job = Generate(outputs);
            job[Array.IndexOf(job, "--gpt") + 1] = gpt;
            Assert.Contains(reason, await CliRun.Fails(Job, gpt, job));
        }
        var tiny = Generate(outputs);
        tiny[Array.IndexOf(tiny, "--clip") + 1] = RepositoryPaths.GoldenFile("clip", "clip_tiny.pt");
        Assert.Contains("600 token ids", await CliRun.Fails(Job, "--vocab", tiny));
        Assert.Contains("600 token ids", await CliRun.Fails(Job, "--clip", "embed", "--text", "one", "--clip", RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), "--vocab", models.Vocabulary));
        Assert.Empty(outputs.Names);
    }

    [Theory]
    [InlineData("--clip", "texts")]
    [InlineData("--clip", "pictures")]
    [InlineData("--vqgan", "decoder")]
    [InlineData("--gpt", "logits")]
    public async Task WeightsThatAreNoNumbers(string option, string part)
    {
        using TemporaryFolder inputs = new(), outputs = new();
        File.WriteAllText(inputs["codes.json"], "{\"codes\":[[[0]]]}");
        var job = Generate(outputs);
        job[Array.IndexOf(job, option) + 1] = part switch { "texts" => models.ClipOfBadTexts, "pictures" => models.ClipOfBadPictures, "decoder" => models.VqGanOfBadPictures, _ => models.GptOfBadLogits };
        await CliRun.Fails(Job, "not a number", [.. job, "--quiet", "--save-each", outputs["each"]]);
        if (part == "logits") await CliRun.Fails(Job, "not a number", [.. job, "--quiet", "--greedy"]);
        if (part == "texts") await CliRun.Fails(Job, "not a number", "embed", "--text", "one", "--clip", models.ClipOfBadTexts, "--vocab", models.Vocabulary, "--json");
        if (part == "pictures") await CliRun.Fails(Job, "not a number", "embed", "--image", Photo, "--clip", models.ClipOfBadPictures, "--out", outputs["out.safetensors"]);
        if (part == "decoder")
        {
            await CliRun.Fails(Job, "not a number", "reconstruct", Photo, "--size", "16", "--vqgan", models.VqGanOfBadPictures, "--out", outputs["out.png"]);
            await CliRun.Fails(Job, "not a number", "decode", inputs["codes.json"], "--vqgan", models.VqGanOfBadPictures, "--out", outputs["out.png"]);
        }
        Assert.Empty(outputs.Names);
    }

    [Theory]
    [InlineData("bad_empty.png")]
    [InlineData("bad_signature.png")]
    [InlineData("bad_truncated.png")]
    [InlineData("bad_truncated.jpg")]
    [InlineData("bad_huge.png")]
    [InlineData("bad_text.jpg")]
    [InlineData("no_such.png")]
    public async Task Pictures(string name)
    {
        using var outputs = new TemporaryFolder();
        var bad = Path.Combine(RepositoryPaths.Golden, "images", "files", name);
        await CliRun.Fails(Job, bad, "reconstruct", Photo, bad, "--size", "16", "--quiet", "--vqgan", models.VqGan, "--out", outputs["out.png"]);
        await CliRun.Fails(Job, bad, "encode", bad, "--vqgan", models.VqGan, "--out", outputs["out.json"]);
        await CliRun.Fails(Job, bad, "embed", "--image", bad, "--clip", models.Clip, "--out", outputs["out.safetensors"]);
        Assert.Empty(outputs.Names);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("png")]
    [InlineData("text")]
    [InlineData("folder")]
    public async Task Vocabularies(string kind)
    {
        using TemporaryFolder inputs = new(), outputs = new();
        var bad = kind switch { "png" => Photo, "folder" => inputs.Path, _ => inputs["vocabulary.txt"] };
        if (kind == "text") File.WriteAllText(bad, "#version\na b\n");
        var job = Generate(outputs);
        job[Array.IndexOf(job, "--vocab") + 1] = bad;
        await CliRun.Fails(Job, bad, job);
        await CliRun.Fails(Job, bad, "tokenize", "one", "--vocab", bad);
        await CliRun.Fails(Job, bad, "embed", "--text", "one", "--clip", models.Clip, "--vocab", bad);
        Assert.Empty(outputs.Names);
    }

    [Theory]
    [InlineData("--candidates", "0")]
    [InlineData("--candidates", "-3")]
    [InlineData("--candidates", "many")]
    [InlineData("--candidates", "99999999999999")]
    [InlineData("--keep", "0")]
    [InlineData("--keep", "6")]
    [InlineData("--batch", "0")]
    [InlineData("--gpt-weights", "f8")]
    [InlineData("--top-k", "-1")]
    [InlineData("--top-p", "0")]
    [InlineData("--top-p", "1.5")]
    [InlineData("--top-p", "NaN")]
    [InlineData("--temperature", "0")]
    [InlineData("--temperature", "-1")]
    [InlineData("--temperature", "NaN")]
    [InlineData("--temperature", "Infinity")]
    [InlineData("--threads", "-1")]
    [InlineData("--threads", "100000")]
    [InlineData("--seed", "-1")]
    [InlineData("--seed", "1.5")]
    [InlineData("--device", "gpu")]
    [InlineData("--out", "picture.tiff")]
    [InlineData("--out", "picture")]
    [InlineData("--out", "")]
    [InlineData("--progress-gif", "grow.png")]
    [InlineData("--save-each", "")]
    [InlineData("--no-such-option", "1")]
    public async Task GenerateOptions(string option, string value)
    {
        using var outputs = new TemporaryFolder();
        var job = Generate(outputs);
        var at = Array.IndexOf(job, option);
        if (option is "--out" && value.Length > 0) value = outputs[value];
        if (at >= 0) job[at + 1] = value;
        else job = [.. job, option, value];
        await CliRun.Fails(Usage, option, job);
        Assert.Empty(outputs.Names);
    }

    [Theory]
    [InlineData("--text", "generate")]
    [InlineData("--text", "generate", "--text", "   ")]
    [InlineData("--text", "generate", "--text")]
    [InlineData("nonsense", "nonsense")]
    [InlineData("generate, reconstruct, encode, decode, embed, tokenize, inspect, convert, merge-codes, download, train, dataset, eval, trace, explain, profile, bench, kernels, selftest, devices, doctor, completion")]
    [InlineData("--out", "reconstruct", "a.png")]
    [InlineData("reconstruct", "reconstruct", "--out", "x.png")]
    [InlineData("--out", "encode", "a.png")]
    [InlineData("--out a.png", "encode", "a.png", "--out", "a.png")]
    [InlineData("--out", "decode", "c.json")]
    [InlineData("--text or --image", "embed")]
    [InlineData("--heads", "embed", "--text", "a", "--heads", "0")]
    [InlineData("--heads", "embed", "--text", "a", "--heads", "x")]
    [InlineData("--out", "embed", "--text", "a", "--out", "e.json")]
    [InlineData("tokenize", "tokenize")]
    [InlineData("inspect", "inspect")]
    [InlineData("lpips", "trace", "lpips", "--checkpoint", "a", "--input", "b", "--out", "c.safetensors")]
    [InlineData("--checkpoint", "trace", "gpt", "--input", "b", "--out", "c.safetensors")]
    [InlineData("--input", "trace", "gpt", "--checkpoint", "a", "--out", "c.safetensors")]
    [InlineData("--heads", "trace", "vqgan", "--checkpoint", "a", "--input", "b", "--out", "c.safetensors", "--heads", "2")]
    [InlineData("--out", "trace", "gpt", "--checkpoint", "a", "--input", "b", "--out", "c.pt")]
    [InlineData("gemm:1", "bench", "gemm:1")]
    [InlineData("nothing", "bench", "nothing")]
    [InlineData("gemm:8x8", "bench", "gemm:8x8x8", "gemm:8x8")]
    [InlineData("gemm:1048576x1048576x1048576", "bench", "gemm:1048576x1048576x1048576")]
    [InlineData("attention:1048576", "bench", "attention:1048576", "--json")]
    [InlineData("--repeat", "bench", "gemm:8x8x8", "--repeat", "0")]
    public async Task Arguments(string culprit, params string[] args) => await CliRun.Fails(Usage, culprit, args);

    [Theory]
    [InlineData("reconstruct")]
    [InlineData("encode")]
    public async Task SizesThatTheModelCannotTake(string command)
    {
        using var outputs = new TemporaryFolder();
        foreach (var size in new[] { "0", "-256", "2", "30", "100000" })
            await CliRun.Fails(Usage, $"--size {size}", command, Photo, "--vqgan", models.VqGan, "--size", size, "--out", outputs[command == "encode" ? "out.json" : "out.png"]);
        Assert.Empty(outputs.Names);
    }

    [Fact]
    public async Task HeadsThatDoNotDivideTheWidth()
    {
        using TemporaryFolder inputs = new(), outputs = new();
        SafetensorsWriter.Write(inputs["in.safetensors"], [TensorFiles.Longs("codes", [0], 1, 1), TensorSource.From("embed", new float[64], 1, 64)]);
        await CliRun.Fails(Job, "--heads", "trace", "gpt", "--checkpoint", models.Gpt, "--input", inputs["in.safetensors"], "--out", outputs["out.safetensors"], "--heads", "7");
        await CliRun.Fails(Job, "--heads", "embed", "--image", Photo, "--clip", models.Clip, "--heads", "7");
        Assert.Empty(outputs.Names);
    }

    public static TheoryData<string, string, TensorSource[]> BadTraceInputs => new()
    {
        { "clip", "neither", [] },
        { "clip", "'image'", [TensorSource.From("image", new float[3 * 16 * 16], 1, 3, 16, 16)] },
        { "clip", "'image'", [TensorSource.From("image", new float[4 * 32 * 32], 1, 4, 32, 32)] },
        { "clip", "'image'", [TensorSource.From("image", [], 0, 3, 32, 32)] },
        { "clip", "'image'", [TensorFiles.Longs("image", new long[3 * 32 * 32], 1, 3, 32, 32)] },
        { "clip", "'tokens'", [TensorFiles.Longs("tokens", new long[76], 1, 76)] },
        { "clip", "'tokens'", [TensorFiles.Longs("tokens", new long[77], 77)] },
        { "clip", "'tokens' holds 49408 at [0, 76]", [TensorFiles.Longs("tokens", [.. new long[76], 49408], 1, 77)] },
        { "clip", "'tokens' holds -1", [TensorFiles.Ints("tokens", [-1, .. new int[76]], 1, 77)] },
        { "clip", "'tokens'", [TensorSource.From("tokens", new float[77], 1, 77)] },
        { "vqgan", "'image'", [TensorSource.From("picture", new float[3], 1, 3, 1, 1)] },
        { "vqgan", "multiples of 4", [TensorSource.From("image", new float[3 * 18 * 16], 1, 3, 18, 16)] },
        { "vqgan", "multiples of 4", [TensorSource.From("image", [], 1, 3, 0, 16)] },
        { "vqgan", "'image'", [TensorSource.From("image", new float[3 * 16 * 16], 3, 16, 16)] },
        { "gpt", "'codes'", [TensorSource.From("embed", new float[64], 1, 64)] },
        { "gpt", "'embed'", [TensorFiles.Longs("codes", [1], 1, 1)] },
        { "gpt", "along an axis", [TensorFiles.Longs("codes", [], 1L << 40, 0), TensorSource.From("embed", new float[64], 1, 64)] },
        { "vqgan", "along an axis", [TensorSource.From("image", [], 1L << 40, 3, 0, 16)] },
        { "gpt", "'codes' holds 64", [TensorFiles.Longs("codes", [64], 1, 1), TensorSource.From("embed", new float[64], 1, 64)] },
        { "gpt", "at most 15", [TensorFiles.Longs("codes", new long[16], 1, 16), TensorSource.From("embed", new float[64], 1, 64)] },
        { "gpt", "expected [2, 64]", [TensorFiles.Longs("codes", [1, 2], 2, 1), TensorSource.From("embed", new float[64], 1, 64)] },
        { "gpt", "expected [1, 64]", [TensorFiles.Longs("codes", [1], 1, 1), TensorSource.From("embed", new float[32], 1, 32)] },
        { "gpt", "'embed'", [TensorFiles.Longs("codes", [1], 1, 1), TensorSource.From("embed", [], 0, 64)] },
    };

    [Theory]
    [MemberData(nameof(BadTraceInputs), DisableDiscoveryEnumeration = true)]
    public async Task TraceInputs(string model, string reason, TensorSource[] tensors)
    {
        using TemporaryFolder inputs = new(), outputs = new();
        SafetensorsWriter.Write(inputs["in.safetensors"], tensors);
        var checkpoint = model switch { "clip" => models.Clip, "vqgan" => models.VqGan, _ => models.Gpt };
        Assert.Contains(reason, await CliRun.Fails(Job, inputs["in.safetensors"], "trace", model, "--checkpoint", checkpoint, "--input", inputs["in.safetensors"], "--out", outputs["out.safetensors"]));
        Assert.Empty(outputs.Names);
    }

    [Theory]
    [InlineData("generate", "out.png")]
    [InlineData("reconstruct", "out.png")]
    [InlineData("encode", "out.json")]
    [InlineData("decode", "out.png")]
    [InlineData("embed", "out.safetensors")]
    [InlineData("trace", "out.safetensors")]
    public async Task PlacesThatCannotBeWritten(string command, string name)
    {
        using TemporaryFolder inputs = new(), outputs = new();
        Directory.CreateDirectory(outputs[name]);
        File.WriteAllText(inputs["codes.json"], "{\"codes\":[[[0]]]}");
        File.WriteAllText(inputs["file"], "");
        string[] job = command switch
        {
            "generate" => Generate(outputs),
            "reconstruct" or "encode" => [command, Photo, "--vqgan", models.VqGan, "--out", ""],
            "decode" => [command, inputs["codes.json"], "--vqgan", models.VqGan, "--out", ""],
            "embed" => [command, "--image", Photo, "--clip", models.Clip, "--out", ""],
            _ => [command, "vqgan", "--checkpoint", models.VqGan, "--input", inputs["none"], "--out", ""],
        };
        foreach (var target in new[] { outputs[name], outputs[$"none/{name}"], inputs[$"file/{name}"] })
        {
            job[Array.IndexOf(job, "--out") + 1] = target;
            await CliRun.Fails(Job, $"--out {target}", job);
        }
        Assert.Equal([name], outputs.Names);
    }

    [Fact]
    public async Task FoldersThatCannotBeMade()
    {
        using TemporaryFolder inputs = new(), outputs = new();
        File.WriteAllText(inputs["file"], "");
        await CliRun.Fails(Job, "--save-each", [.. Generate(outputs), "--save-each", inputs["file"]]);
        await CliRun.Fails(Job, "--save-each", [.. Generate(outputs), "--save-each", inputs["file/each"]]);
        await CliRun.Fails(Job, "--progress-gif", [.. Generate(outputs), "--progress-gif", outputs["none/grow.gif"]]);
        Assert.Empty(outputs.Names);
    }

    [Fact]
    public async Task ModelFoldersWithoutFiles()
    {
        using var outputs = new TemporaryFolder();
        var line = await CliRun.Fails(Job, "clip_vit_b32.pt", "generate", "--text", "one", "--out", outputs["out.png"], "--model", outputs.Path);
        Assert.Contains("--clip", line);
        Assert.Empty(outputs.Names);
    }

    [Fact]
    public async Task DevicesThatAreNotHere() => Assert.Contains("--device cpu", await CliRun.Fails(Job, "--device cuda:0", "embed", "--image", Photo, "--clip", models.Clip, "--device", "cuda:0"));

    private string[] Generate(TemporaryFolder outputs) =>
        ["generate", "--text", "one", "--out", outputs["out.png"], "--clip", models.Clip, "--vqgan", models.VqGan, "--gpt", models.Gpt, "--vocab", models.Vocabulary, "--candidates", "5"];

    private string Truncated(string path)
    {
        var whole = File.ReadAllBytes(models.VqGan);
        File.WriteAllBytes(path, whole[..(whole.Length / 2)]);
        return path;
    }
}
