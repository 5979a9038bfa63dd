using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ClipGen.Training.Control;

namespace ClipGen.Training.Tests;

[Collection(nameof(ProcessSignals))]
public sealed partial class TrainingSignalsTests
{
    private const string ChildVariable = "CLIPGEN_TEST_SIGNALS";
    private const int Interrupt = 2, Terminate = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static int UserSignal => OperatingSystem.IsMacOS() ? 30 : 10;

    [Fact]
    public void FirstSignalCountsAndTheProcessLivesOn()
    {
        SkipWithoutSignals();
        using var signals = new TrainingSignals();
        Assert.False(signals.StopRequested);
        Assert.Null(signals.StopSignal);
        Raise(UserSignal);
        Assert.True(SpinWait.SpinUntil(() => signals.StopRequested, Patience));
        Assert.Equal("SIGUSR1", signals.StopSignal);
        using var later = new TrainingSignals();
        Raise(Terminate);
        Assert.True(SpinWait.SpinUntil(() => later.StopRequested, Patience));
        Assert.Equal("SIGTERM", later.StopSignal);
        Assert.Equal("SIGUSR1", signals.StopSignal);
    }

    [Fact]
    public void DisposedItHearsNothing()
    {
        SkipWithoutSignals();
        var deaf = new TrainingSignals();
        deaf.Dispose();
        deaf.Dispose();
        using var signals = new TrainingSignals();
        Raise(UserSignal);
        Assert.True(SpinWait.SpinUntil(() => signals.StopRequested, Patience));
        Assert.False(deaf.StopRequested);
    }

    // The test runner itself ends at SIGINT, so that a process of its own takes it.
    [Fact]
    public async Task SecondInterruptEndsAtOnce()
    {
        SkipWithoutSignals();
        using var child = StartChild();
        Assert.Equal("ready", await Line(child));
        Raise(Interrupt, child.Id);
        Assert.Equal("stop SIGINT", await Line(child));
        Assert.False(child.HasExited);
        Raise(Interrupt, child.Id);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(TrainingSignals.Interrupted, child.ExitCode);
    }

    [Fact]
    public async Task InterruptAfterAnotherSignalIsTheFirst()
    {
        SkipWithoutSignals();
        using var child = StartChild();
        Assert.Equal("ready", await Line(child));
        Raise(Terminate, child.Id);
        Assert.Equal("stop SIGTERM", await Line(child));
        Raise(Interrupt, child.Id);
        await child.StandardInput.WriteLineAsync("go on");
        Assert.Equal("saved", await Line(child));
        await child.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, child.ExitCode);
    }

    /// <summary>This test program, started with <see cref="ChildVariable"/>, is a training that waits for its signal and then for a line of input before it has saved.</summary>
    [ModuleInitializer]
    internal static void RunAsChild()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) != "1") return;
        using var signals = new TrainingSignals();
        Console.WriteLine("ready");
        while (!signals.StopRequested) Thread.Sleep(5);
        Console.WriteLine($"stop {signals.StopSignal}");
        Console.ReadLine();
        // A signal that was sent before the line is handled on another thread.
        Thread.Sleep(100);
        Console.WriteLine("saved");
        Environment.Exit(0);
    }

    private static void SkipWithoutSignals() => Assert.SkipWhen(OperatingSystem.IsWindows(), "needs kill(2)");

    private static Process StartChild() => Process.Start(new ProcessStartInfo(Environment.ProcessPath!)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        Environment = { [ChildVariable] = "1" },
    })!;

    private static async Task<string?> Line(Process child) => await child.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience, TestContext.Current.CancellationToken);

    private static void Raise(int signal, int? process = null) => Assert.Equal(0, Kill(process ?? Environment.ProcessId, signal));

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
