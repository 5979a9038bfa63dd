using System.Text.Json;
using ClipGen.Data;
using ClipGen.Data.Datasets;

namespace ClipGen.Cli.Tests;

/// <summary><c>dataset info</c>, <c>pack</c> and <c>verify</c>, and a training on what they packed.</summary>
public sealed class DatasetCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public DatasetCommandTests()
    {
        Directory.CreateDirectory(folder["photos"]);
        for (var i = 0; i < 6; i++) PictureFile.Save(new Picture(40 + i, 30), folder[$"photos/{i}.png"]);
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("all.ffr")]
    [InlineData("all.tar")]
    public async Task WhatIsPackedVerifiesAndADamagedPictureIsNamed(string name)
    {
        Assert.Contains("6 pictures", (await CliRun.Succeeds("dataset", "pack", folder["photos"], folder[name], "--quiet")).Output);
        Assert.Contains("6 of 6 pictures are good", (await CliRun.Succeeds("dataset", "verify", folder[name], "--quiet")).Output);
        using var info = JsonDocument.Parse((await CliRun.Succeeds("dataset", "info", folder[name], "--json", "--quiet")).Output);
        Assert.Equal((6, 40, 43, 45), (info.RootElement.GetProperty("pictures").GetInt32(), info.RootElement.GetProperty("width").GetProperty("least").GetInt32(), info.RootElement.GetProperty("width").GetProperty("median").GetInt32(), info.RootElement.GetProperty("width").GetProperty("most").GetInt32()));

        var bytes = File.ReadAllBytes(folder[name]);
        // In the pixels of picture 3: behind its signature and header.
        var at = Occurrence(bytes, "IDAT"u8, 3) + 8;
        bytes[at] ^= 1;
        File.WriteAllBytes(folder[name], bytes);
        var run = await CliRun.Of("dataset", "verify", folder[name], "--quiet");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(name == "all.ffr" ? "all.ffr, sample 3" : "all.tar, 000000003.png", run.OutputLines[0]);
        Assert.Contains("5 of 6 pictures are good", run.OutputLines[1]);
        Assert.Contains("1 of 6 pictures are bad", Assert.Single(run.ErrorLines));
        // Without decoding, only records with checksums tell.
        Assert.Equal(name == "all.ffr" ? 1 : 0, (await CliRun.Of("dataset", "verify", folder[name], "--checksums-only", "--quiet")).ExitCode);
    }

    [Fact]
    public async Task ShardsAreNumbered()
    {
        Directory.CreateDirectory(folder["shards"]);
        using var json = JsonDocument.Parse((await CliRun.Succeeds("dataset", "pack", folder["photos"], folder["shards/s.tar"], "--shard", "4", "--json", "--quiet")).Output);
        Assert.Equal([folder["shards/s-000000.tar"], folder["shards/s-000001.tar"]], json.RootElement.GetProperty("files").EnumerateArray().Select(file => file.GetString()!));
        Assert.Contains("6 pictures (Tar)", (await CliRun.Succeeds("dataset", "info", folder["shards"], "--sample", "0", "--quiet")).Output);
        Assert.Contains("6 pictures (Tar)", (await CliRun.Succeeds("dataset", "info", folder["shards/s-{000000..000001}.tar"], "--sample", "1", "--quiet")).Output);
    }

    [Fact]
    public async Task ATrainingTakesRecords()
    {
        await CliRun.Succeeds("dataset", "pack", PictureDatasets.Shapes, folder["scenes.ffr"], "--seed", "3", "--count", "12", "--quiet");
        var run = await CliRun.Succeeds("train", "vqgan", "--ds", folder["scenes.ffr"], "--val-share", "0.2", "--size", "24", "--bs", "2", "--epochs", "1", "--max-steps", "2", "--perceptual-weight", "0", "--disc-start", "never",
            "--channels", "8", "--groups", "4", "--multipliers", "1,1", "--blocks", "1", "--attention-levels", "none", "--codes", "16", "--code-size", "4", "--out", folder["run"]);
        Assert.True(File.Exists(folder["run/latest.pt"]), run.Error);
    }

    [Fact]
    public async Task NamedDatasetsNeedTheirFolder()
    {
        await CliRun.Fails(2, "--data-root", "dataset", "info", "coco");
        await CliRun.Fails(2, "--data-root", "train", "vqgan", "--ds", "coco", "--out", folder["run"]);
        await CliRun.Fails(2, "--data-root", "dataset", "info", folder["photos"], "--data-root", folder.Path);
        await CliRun.Fails(1, "train2017", "dataset", "info", "coco", "--data-root", folder.Path);
        Directory.Move(folder["photos"], folder["train2017"]);
        Assert.Contains("6 pictures (Folder)", (await CliRun.Succeeds("dataset", "info", "coco", "--data-root", folder.Path, "--quiet")).Output);
        await CliRun.Fails(1, "to validate on", "dataset", "info", "coco", "--data-root", folder.Path, "--validation");
    }

    [Theory]
    [InlineData(2, "OUT", "dataset", "pack", "photos", "a.zip")]
    [InlineData(2, "--shard", "dataset", "pack", "photos", "a.ffr", "--shard", "-1")]
    [InlineData(2, "--validation", "dataset", "verify", "photos", "--validation")]
    [InlineData(2, "--sample", "dataset", "info", "photos", "--sample", "-1")]
    [InlineData(2, "--checksums-only", "dataset", "verify", "shapes", "--checksums-only")]
    [InlineData(1, "nothing", "dataset", "info", "nothing")]
    [InlineData(1, "nothing.ffr", "dataset", "verify", "nothing.ffr")]
    public async Task BadUseIsOneLine(int code, string culprit, params string[] args) =>
        await CliRun.Fails(code, culprit, [.. args.Select(arg => arg is "photos" or "a.zip" or "a.ffr" or "nothing" or "nothing.ffr" ? folder[arg] : arg)]);

    private static int Occurrence(byte[] bytes, ReadOnlySpan<byte> text, int number)
    {
        var at = -1;
        for (var i = 0; i <= number; i++)
        {
            var next = bytes.AsSpan(at + 1).IndexOf(text);
            Assert.True(next >= 0);
            at += next + 1;
        }
        return at;
    }
}
