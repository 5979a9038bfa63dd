using ClipGen.Tensors;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>
/// A run in pieces is the run in one: every parameter, running statistic, moment, counter and logged number, bit for bit, wherever it stopped and however many threads computed.
/// An epoch has five steps, so the stops lie in the middle of one, at its end, and just behind it.
/// </summary>
public sealed class ResumeTests
{
    private const int Total = 12;

    public static TheoryData<string, bool> KindsAndFormats => new() { { "vqgan", false }, { "vqgan", true }, { "gpt", false }, { "gpt", true }, { "clip", false }, { "clip", true } };

    [Theory]
    [MemberData(nameof(KindsAndFormats))]
    public void PiecesAreTheWhole(string kind, bool safetensors)
    {
        using TemporaryFolder whole = new(), pieces = new();
        Whole(kind, whole, threads: 1);
        var from = "";
        foreach (var stop in (int[])[3, 5, 7, Total])
        {
            using var device = Device.Cpu(2);
            using var trainer = from.Length == 0 ? TinyRuns.New(kind, device) : TinyRuns.Resumed(kind, device, from);
            using var folder = RunFolder.Open(pieces.Path);
            TinyRuns.Run(trainer, folder, resumed: from.Length > 0, stop);
            from = folder.LatestCheckpoint;
            if (safetensors) TrainingCheckpoint.Write(from = pieces["state.safetensors"], trainer.State);
        }
        AssertSameRun(whole, pieces);
    }

    [Theory]
    [MemberData(nameof(TinyRuns.Kinds), MemberType = typeof(TinyRuns))]
    public void FromTheLastSaveOfARunThatWasKilled(string kind)
    {
        using TemporaryFolder whole = new(), killed = new();
        Whole(kind, whole, threads: 2);
        using (var device = Device.Cpu(1))
        using (var trainer = TinyRuns.New(kind, device))
        using (var folder = RunFolder.Open(killed.Path))
        {
            TinyRuns.Run(trainer, folder, resumed: false, 9, saveEvery: "4");
            // What a kill at step 9 leaves: the state of step 8, and metrics that are ahead of it.
            File.Copy(folder.NumberedCheckpoint(8), folder.LatestCheckpoint, overwrite: true);
        }
        using (var device = Device.Cpu(1))
        using (var folder = RunFolder.Open(killed.Path))
        using (var trainer = TinyRuns.Resumed(kind, device, folder.Resume("auto")!))
        {
            Assert.Equal((1, 3, 8), (trainer.State.Epoch, trainer.State.Step, trainer.State.GlobalStep));
            TinyRuns.Run(trainer, folder, resumed: true, Total);
        }
        AssertSameRun(whole, killed);
    }

    private static void Whole(string kind, TemporaryFolder place, int threads)
    {
        using var device = Device.Cpu(threads);
        using var trainer = TinyRuns.New(kind, device);
        using var folder = RunFolder.Open(place.Path);
        Assert.Equal(5, trainer.StepsPerEpoch);
        TinyRuns.Run(trainer, folder, resumed: false, Total);
    }

    private static void AssertSameRun(TemporaryFolder whole, TemporaryFolder pieces)
    {
        TinyRuns.AssertSame(whole["latest.pt"], pieces["latest.pt"]);
        TinyRuns.AssertSame(whole["best.pt"], pieces["best.pt"]);
        Assert.Equal(File.ReadAllText(whole["metrics.csv"]), File.ReadAllText(pieces["metrics.csv"]));
        Assert.Equal(Enumerable.Range(1, Total).Select(step => (long)step), MetricsTable.Read(pieces["metrics.csv"]).Rows.Select(row => row.Step));
    }
}
