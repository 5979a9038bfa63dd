using System.Runtime.InteropServices;

namespace ClipGen.Training.Control;

/// <summary>
/// Turns SIGTERM, SIGINT and SIGUSR1 (what job schedulers send before they take the machine away) into a wish to stop: the run finishes its
/// step, saves and ends. The default action, which would end the process, does not happen. A second SIGINT (Ctrl-C again) ends the process
/// at once with exit code 130. Where there is no SIGUSR1 (Windows), only the other two count.
/// </summary>
public sealed class TrainingSignals : IDisposable
{
    /// <summary>Exit code of a process that SIGINT ended, as shells report it.</summary>
    public const int Interrupted = 130;

    private readonly List<PosixSignalRegistration> registrations = [];
    private readonly CancellationTokenSource stopping = new();
    private volatile string? stopSignal;
    private int interrupts;

    /// <summary>Listens from now on until disposed.</summary>
    public TrainingSignals()
    {
        Listen(PosixSignal.SIGTERM, "SIGTERM");
        Listen(PosixSignal.SIGINT, "SIGINT");
        // .NET has no name for it; it takes raw numbers, which differ between systems.
        if (OperatingSystem.IsLinux()) Listen((PosixSignal)10, "SIGUSR1");
        else if (OperatingSystem.IsMacOS()) Listen((PosixSignal)30, "SIGUSR1");
    }

    /// <summary>Whether a signal asked the run to stop.</summary>
    public bool StopRequested => stopSignal is not null;

    /// <summary>Cancelled by the first of these signals: ends what may be left half-done, such as waiting for data or a validation.</summary>
    public CancellationToken Stopping => stopping.Token;

    /// <summary>The first signal that did, or null.</summary>
    public string? StopSignal => stopSignal;

    /// <summary>Gives the signals their former actions back.</summary>
    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        registrations.Clear();
    }

    private void Listen(PosixSignal signal, string name) => registrations.Add(PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        var first = Interlocked.CompareExchange(ref stopSignal, name, null) is null;
        if (signal == PosixSignal.SIGINT && Interlocked.Increment(ref interrupts) >= 2) Environment.Exit(Interrupted);
        if (first) stopping.Cancel();
    }));
}
