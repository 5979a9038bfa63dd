using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

public sealed class RunFolderTests
{
    [Fact]
    public void LayoutIsTheReferences()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder["output"], "vqgan", "shapes");
        using var run = RunFolder.Open(path);
        Assert.Equal(path, run.Path);
        Assert.Equal([".lock", "previews", "runs"], TemporaryFolder.NamesIn(path));
        Assert.Equal(
            ["latest.pt", "best.pt", "runs", "previews", "metrics.csv", "report.html", "config.json", "step-00001000.pt"],
            ((string[])[run.LatestCheckpoint, run.BestCheckpoint, run.EventFolder, run.PreviewFolder, run.MetricsPath, run.ReportPath, run.ConfigPath, run.NumberedCheckpoint(1000)]).Select(file => Path.GetRelativePath(path, file)));
    }

    [Fact]
    public void SecondRunIsRefusedUntilTheFirstIsGone()
    {
        using var folder = new TemporaryFolder();
        using (var run = RunFolder.Open(folder.Path))
        {
            File.WriteAllText(run.ConfigPath, "{}");
            var failure = Assert.Throws<RunFolderException>(() => RunFolder.Open(folder.Path));
            Assert.Equal($"{folder.Path}: another training is writing into this folder; wait for it, stop it, or choose another --out", failure.Message);
        }
        // The lock's file is still there, and means nothing.
        Assert.Contains(".lock", folder.Names);
        RunFolder.Open(folder.Path).Dispose();
    }

    [Fact]
    public void ARunThatWroteNothingLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        RunFolder.Open(Path.Combine(folder["new"], "run")).Dispose();
        Assert.Empty(folder.Names);
        // What was there before stays.
        File.WriteAllText(folder["mine.txt"], "");
        RunFolder.Open(folder.Path).Dispose();
        Assert.Equal(["mine.txt"], folder.Names);
        using (var run = RunFolder.Open(folder.Path)) Save(run.LatestCheckpoint);
        Assert.Equal(((string[])[".lock", "latest.pt", "mine.txt", "previews", "runs"]).Order(StringComparer.Ordinal), folder.Names);
    }

    [Fact]
    public void FolderThatCanNotBeWrittenIsOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        File.WriteAllText(folder["runs"], "");
        foreach (var path in (string[])[Path.Combine(folder["file"], "run"), folder["file"], folder.Path])
        {
            var failure = Assert.Throws<RunFolderException>(() => RunFolder.Open(path));
            Assert.StartsWith($"{path}: can't be written to (", failure.Message);
            Assert.EndsWith("choose another --out or change its permissions", failure.Message);
            Assert.DoesNotContain('\n', failure.Message);
        }
        Assert.Equal("--out: is empty; give a folder", Assert.Throws<RunFolderException>(() => RunFolder.Open(" ")).Message);
    }

    [Fact]
    public void ReadOnlyFolderIsRefused()
    {
        // /proc takes no files, not even from an administrator.
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs a folder that nobody can write to");
        Assert.StartsWith("/proc/clipgen: can't be written to (", Assert.Throws<RunFolderException>(() => RunFolder.Open("/proc/clipgen")).Message);
    }

    [Fact]
    public void LastNumberedCheckpointsStay()
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path, keep: 2);
        File.WriteAllText(folder["step-notes.pt"], "the user's");
        foreach (var step in (long[])[100, 200, 300, 400]) run.SaveNumbered(step, path => File.WriteAllText(path, "x"));
        Assert.Equal([400L, 300L], run.ListNumbered().Select(pair => pair.Step));
        Assert.True(File.Exists(folder["step-notes.pt"]));
        // Set back to 300, the run passes 350: what lies ahead is neither counted nor touched.
        run.SaveNumbered(350, path => File.WriteAllText(path, "x"));
        Assert.Equal([400L, 350L, 300L], run.ListNumbered().Select(pair => pair.Step));
        run.SaveNumbered(123456789012, path => File.WriteAllText(path, "x"));
        Assert.Equal([123456789012L, 400L], run.ListNumbered().Select(pair => pair.Step));
    }

    [Fact]
    public void OldCheckpointsOutliveASaveThatFails()
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path, keep: 1);
        run.SaveNumbered(100, path => File.WriteAllText(path, "x"));
        Assert.Throws<IOException>(() => run.SaveNumbered(200, _ => throw new IOException("disk full")));
        Assert.Contains("is not there after saving", Assert.Throws<RunFolderException>(() => run.SaveNumbered(200, _ => { })).Message);
        Assert.Contains("is not there after saving", Assert.Throws<RunFolderException>(() => run.SaveNumbered(200, path => File.WriteAllText(path, ""))).Message);
        Assert.Contains(100, run.ListNumbered().Select(pair => pair.Step));
        // The old one is there while the new one is written.
        run.SaveNumbered(300, path =>
        {
            Assert.True(File.Exists(run.NumberedCheckpoint(100)));
            File.WriteAllText(path, "x");
        });
        Assert.Equal([300L], run.ListNumbered().Select(pair => pair.Step));
    }

    [Fact]
    public void HalvesOfAKilledRunAreRemoved()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["previews"]);
        var half = $"{Guid.NewGuid():N}.tmp";
        foreach (var name in (string[])[$"latest.pt.{half}", Path.Combine("previews", $"a-00000001.png.{half}"), "mine.tmp", "latest.pt.notes.tmp", half]) File.WriteAllText(folder[name], "x");
        using var run = RunFolder.Open(folder.Path);
        Assert.Equal(((string[])[".lock", half, "latest.pt.notes.tmp", "mine.tmp", "previews", "runs"]).Order(StringComparer.Ordinal), folder.Names);
        Assert.Empty(TemporaryFolder.NamesIn(folder["previews"]));
    }

    [Fact]
    public void ResumeAutoTakesAWholeLatest()
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path);
        Assert.Null(run.Resume("auto"));
        Save(run.LatestCheckpoint);
        Assert.Equal(run.LatestCheckpoint, run.Resume("auto"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ResumeAutoRefusesADamagedLatestAndNamesAnother(bool truncated)
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path);
        Save(run.LatestCheckpoint);
        run.SaveNumbered(500, Save);
        var bytes = File.ReadAllBytes(run.LatestCheckpoint);
        // Of the tensor's ones, one changes.
        bytes[bytes.AsSpan().IndexOf(new byte[] { 0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F }) + 100] ^= 1;
        File.WriteAllBytes(run.LatestCheckpoint, truncated ? bytes[..^100] : bytes);
        var message = Assert.Throws<RunFolderException>(() => run.Resume("auto")).Message;
        Assert.StartsWith($"{run.LatestCheckpoint}: is damaged", message);
        Assert.EndsWith($"continue with --resume {run.NumberedCheckpoint(500)}; or remove it to begin anew", message);
    }

    [Fact]
    public void ResumeTakesAFileThatIsThere()
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path);
        Assert.Equal($"--resume {folder["none.pt"]}: no such file; expected auto or a checkpoint", Assert.Throws<RunFolderException>(() => run.Resume(folder["none.pt"])).Message);
        Save(run.BestCheckpoint);
        run.SaveNumbered(500, Save);
        run.SaveNumbered(1500, Save);
        Assert.Equal([run.NumberedCheckpoint(1500), run.NumberedCheckpoint(500), run.BestCheckpoint], run.ResumeCandidates());
        Assert.Equal(run.NumberedCheckpoint(500), run.Resume(run.NumberedCheckpoint(500)));
        Assert.EndsWith($"expected auto or a checkpoint such as {run.NumberedCheckpoint(1500)}", Assert.Throws<RunFolderException>(() => run.Resume(folder["none.pt"])).Message);
    }

    [Fact]
    public void NewestPreviewOfEveryName()
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path);
        foreach (var (name, step) in ((string, long)[])[("samples", 100), ("samples", 1000), ("samples", 20), ("img_recon", 50)]) File.WriteAllText(run.PreviewPath(name, step), "x");
        File.WriteAllText(Path.Combine(run.PreviewFolder, "holiday.png"), "the user's");
        Assert.Equal([("img_recon", 50L, run.PreviewPath("img_recon", 50)), ("samples", 1000L, run.PreviewPath("samples", 1000))], run.LatestPreviews());
        Assert.Throws<ArgumentException>(() => run.PreviewPath("../up", 1));
    }

    [Fact]
    public void ConfigurationIsJson()
    {
        using var folder = new TemporaryFolder();
        using var run = RunFolder.Open(folder.Path);
        Samples.Run(new("lr", "4.5e-06", SettingOrigin.Default), new("out", "a \"b\" <ü>\n", SettingOrigin.Option), new("codes", "16384", SettingOrigin.Checkpoint)).WriteJson(run.ConfigPath);
        using var json = JsonDocument.Parse(File.ReadAllText(run.ConfigPath));
        Assert.Equal("train vqgan", json.RootElement.GetProperty("command").GetString());
        Assert.Equal("18446744073709551615", json.RootElement.GetProperty("seed").GetString());
        var settings = json.RootElement.GetProperty("settings");
        Assert.Equal([("lr", "4.5e-06", "default"), ("out", "a \"b\" <ü>\n", "option"), ("codes", "16384", "checkpoint")],
            settings.EnumerateObject().Select(s => (s.Name, s.Value.GetProperty("value").GetString()!, s.Value.GetProperty("from").GetString()!)));
    }

    private static void Save(string path) => PyTorchWriter.Write(path, [TensorSource.From("weight", [.. Enumerable.Repeat(1f, 32_768)], 32_768)]);
}
