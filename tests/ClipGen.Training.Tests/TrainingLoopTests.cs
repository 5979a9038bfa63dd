using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>What the loop does around the steps: saves, the best one, metrics, events, report, stops.</summary>
public sealed class TrainingLoopTests : ScriptedRun
{
    [Fact]
    public void TheBestValidationIsKeptBesideTheNewest()
    {
        var result = Run(new ScriptedTrainer(Device, 3, 1, 2), 12);
        Assert.True(result.Finished);
        Assert.Equal("finished", result.Outcome);
        Assert.Equal((8, 2L, 0L, 1.0), Saved("best.pt"));
        Assert.Equal((12, 3L, 0L, 1.0), Saved("latest.pt"));
    }

    [Fact]
    public void NumberedOnesAreTheLastOfTheirKind()
    {
        Run(new ScriptedTrainer(Device, 3, 2, 1), 12, saveEvery: "1", keep: 2);
        // An epoch's end is saved as latest.pt alone.
        Assert.Equal(["step-00000010.pt", "step-00000011.pt"], Place.Names.Where(name => name.StartsWith("step-", StringComparison.Ordinal)));
        Assert.Equal(11, Saved("step-00000011.pt").Weight);
    }

    [Fact]
    public void MetricsHaveEveryStepOnce()
    {
        Run(new ScriptedTrainer(Device, 3, 2, 1), 6, logEvery: 4);
        Run(Resumed(3, 2, 1), 12, logEvery: 4, resumed: true);
        var table = MetricsTable.Read(Place["metrics.csv"]);
        Assert.Equal(["train/loss", "train/lr", "train/ended", "val/score"], table.Columns);
        // Every fourth step, and the sixth, behind which the first part stopped.
        Assert.Equal([4L, 6, 8, 12], table.Rows.Select(row => row.Step));
        Assert.Equal([0, 1, 1, 2], table.Rows.Select(row => row.Epoch));
        // Means over what is new in each; the learning rate is the last step's.
        Assert.Equal([(4, Mean(1, 2, 3, 4)), (6, Mean(5, 6)), (8, Mean(7, 8)), (12, Mean(9, 10, 11, 12))], table.Series("train/loss"));
        Assert.Equal([(4, 4.0), (6, 6), (8, 8), (12, 12)], table.Series("train/lr"));
        Assert.Equal([(4, 3.0), (8, 2), (12, 1)], table.Series("val/score"));
        Assert.Equal([(4, 0.0), (8, 1), (12, 2)], table.Series("train/ended"));
    }

    [Fact]
    public void TheLastLineOfTheLogIsOfTheLastEpoch()
    {
        using var log = new StringWriter();
        Run(new ScriptedTrainer(Device, 3, 2, 1), 12, logEvery: 5, log: log);
        var lines = log.ToString().Split('\n').Where(line => line.StartsWith("epoch ", StringComparison.Ordinal) && line.Contains("step", StringComparison.Ordinal));
        Assert.Equal(["epoch 1  step  5/12", "epoch 2  step 10/12", "epoch 2  step 12/12"], lines.Select(line => line[..19]));
        Assert.Equal([5L, 10, 12], MetricsTable.Read(Place["metrics.csv"]).Series("train/loss").Select(pair => pair.Step));
    }

    [Fact]
    public void EventsReportAndPreviewsAreThere()
    {
        Run(new ScriptedTrainer(Device, 3, 2, 1), 6);
        Run(Resumed(3, 2, 1), 12, resumed: true);
        // A resumed run has an event file of its own.
        var files = Directory.GetFiles(Place["runs"]);
        Assert.Equal(2, files.Length);
        var events = files.SelectMany(EventRecords.Read).Where(e => e.Tag is not null).OrderBy(e => e.Step).ToArray();
        Assert.Equal(Enumerable.Range(1, 12).Select(step => ((long)step, (float?)(1.0 / step))), events.Where(e => e.Tag == "train/loss").Select(e => (e.Step, e.Scalar)));
        Assert.Equal([4L, 8, 12], events.Where(e => e.Tag == "val/score").Select(e => e.Step));
        Assert.Equal([4L, 8, 12], events.Where(e => e.Image is not null).Select(e => e.Step));
        Assert.Equal(["val_img_recon-00000004.png", "val_img_recon-00000008.png", "val_img_recon-00000012.png"], TemporaryFolder.NamesIn(Place["previews"]));
        var report = File.ReadAllText(Place["report.html"]);
        Assert.Contains("finished", report);
        Assert.Contains("val img recon after 12 steps", report);
    }

    [Fact]
    public void AFinishedRunDoesNothingMore()
    {
        Run(new ScriptedTrainer(Device, 3, 2, 1), 12);
        var metrics = File.ReadAllText(Place["metrics.csv"]);
        var again = Resumed(3, 2, 1);
        Assert.True(Run(again, 0, resumed: true).Finished);
        Assert.Equal((12, 3L, 0L, 1.0), Saved("latest.pt"));
        Assert.Equal(metrics, File.ReadAllText(Place["metrics.csv"]));
    }

    [Fact]
    public void WeightsThatAreNotFiniteReplaceNothing()
    {
        ScriptedTrainer trainer = null!;
        trainer = new ScriptedTrainer(Device, 3, 2, 1) { OnValidate = number => trainer.SetWeight(number == 1 ? float.NaN : 4) };
        var failure = Assert.Throws<DivergedException>(() => Run(trainer, 0));
        Assert.Contains("weight [1] is not finite", failure.Message);
        Assert.Contains(Place["latest.pt"], failure.Message);
        Assert.Equal((4, 1L, 0L, 3.0), Saved("latest.pt"));
        Assert.Equal(4, Saved("best.pt").Weight);
        Assert.DoesNotContain(Place.Names, name => name.EndsWith(".tmp", StringComparison.Ordinal));
    }

    private static double Mean(params double[] steps) => steps.Aggregate(0.0, (sum, step) => sum + 1 / step) / steps.Length;
}
