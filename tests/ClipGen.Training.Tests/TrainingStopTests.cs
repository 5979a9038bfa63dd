using System.Runtime.InteropServices;
using ClipGen.Training.Control;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

/// <summary>A signal reaches every run of the process: tests that raise one are alone.</summary>
[CollectionDefinition(nameof(ProcessSignals), DisableParallelization = true)]
public sealed class ProcessSignals;

/// <summary>What a signal ends, and how the run goes on.</summary>
[Collection(nameof(ProcessSignals))]
public sealed partial class TrainingStopTests : ScriptedRun
{
    private const int UserSignal = 10;

    [Fact]
    public void ASignalLetsTheStepEnd()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "raises SIGUSR1 by its number");
        using var signals = new TrainingSignals();
        var trainer = new ScriptedTrainer(Device, 3, 2, 1) { OnStep = number => Raise(number == 6, signals) };
        var result = Run(trainer, 0, signals: signals);
        Assert.Equal(("stopped by SIGUSR1", false), (result.Outcome, result.Finished));
        Assert.Equal((6, 1L, 2L, 3.0), Saved("latest.pt"));
    }

    [Fact]
    public void ASignalEndsAValidationWhichIsDoneAgain()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "raises SIGUSR1 by its number");
        using (var signals = new TrainingSignals())
            Assert.False(Run(new ScriptedTrainer(Device, 3, 1, 2) { OnValidate = number => Raise(number == 1, signals) }, 0, signals: signals).Finished);
        // All steps of the second epoch are done, its end is not.
        Assert.Equal((8, 1L, 4L, 3.0), Saved("latest.pt"));
        Assert.Equal([(4, 3.0)], MetricsTable.Read(Place["metrics.csv"]).Series("val/score"));
        Assert.True(Run(Resumed(3, 1, 2), 0, resumed: true).Finished);
        Assert.Equal([(4, 3.0), (8, 1), (12, 2)], MetricsTable.Read(Place["metrics.csv"]).Series("val/score"));
        Assert.Equal(Enumerable.Range(1, 12).Select(step => (long)step), MetricsTable.Read(Place["metrics.csv"]).Rows.Select(row => row.Step));
        Assert.Equal((8, 2L, 0L, 1.0), Saved("best.pt"));
    }

    private static void Raise(bool now, TrainingSignals signals)
    {
        if (!now) return;
        Assert.Equal(0, Kill(Environment.ProcessId, UserSignal));
        Assert.True(SpinWait.SpinUntil(() => signals.Stopping.IsCancellationRequested, TimeSpan.FromSeconds(20)));
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
