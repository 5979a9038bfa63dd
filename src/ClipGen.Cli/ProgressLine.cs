using System.Diagnostics;
using System.Globalization;

namespace ClipGen.Cli;

/// <summary>One line on the error stream that says what is done, how fast and how long it will take: redrawn on a terminal, printed now and then into a log.</summary>
internal sealed class ProgressLine(TextWriter error, bool quiet) : IDisposable
{
    private static readonly TimeSpan RedrawEvery = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LogEvery = TimeSpan.FromSeconds(10);
    private readonly bool terminal = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;
    private readonly Stopwatch clock = new();
    private string what = "", unit = "";
    private long total, done;
    private TimeSpan shownAt;
    private bool drawn;

    /// <summary>A new job; ends the one before.</summary>
    public void Begin(string name, long amount, string unitName)
    {
        End();
        (what, total, unit, done, shownAt) = (name, amount, unitName, 0, TimeSpan.Zero);
        clock.Restart();
        if (terminal) Draw();
    }

    /// <summary>So much is done.</summary>
    public void Report(long amount)
    {
        done = amount;
        // The last step is told by End.
        if (quiet || (done >= total && !terminal) || clock.Elapsed - shownAt < (terminal ? RedrawEvery : LogEvery)) return;
        Draw();
    }

    /// <summary>Ends the job with a line that says how long it took.</summary>
    public void End()
    {
        if (what.Length == 0) return;
        if (!quiet)
        {
            var seconds = clock.Elapsed.TotalSeconds;
            Clear();
            error.WriteLine($"{what}: {done.ToString("N0", CultureInfo.InvariantCulture)} {(done == 1 ? unit.TrimEnd('s') : unit)} in {Duration(seconds)}{Rate(seconds)}");
        }
        what = "";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // A job that was not ended failed or was stopped: its line must not stand in the way of the message.
        Clear();
        what = "";
    }

    private void Draw()
    {
        if (quiet) return;
        shownAt = clock.Elapsed;
        var seconds = shownAt.TotalSeconds;
        var left = done > 0 ? $", {Duration(seconds * (total - done) / done)} left" : "";
        var line = $"{what}: {done.ToString("N0", CultureInfo.InvariantCulture)} of {total.ToString("N0", CultureInfo.InvariantCulture)} {unit}{Rate(seconds)}{left}";
        if (terminal)
        {
            error.Write($"\r{line}\u001b[K");
            drawn = true;
        }
        else error.WriteLine(line);
    }

    private void Clear()
    {
        if (drawn) error.Write("\r\u001b[K");
        drawn = false;
    }

    private string Rate(double seconds)
    {
        if (done == 0 || total == 1 || seconds < 0.05) return "";
        var rate = done / seconds;
        return rate >= 1
            ? string.Create(CultureInfo.InvariantCulture, $", {rate:F1} {unit}/s")
            : string.Create(CultureInfo.InvariantCulture, $", {1 / rate:F1} s each");
    }

    private static string Duration(double seconds) => seconds switch
    {
        < 60 => string.Create(CultureInfo.InvariantCulture, $"{seconds:F1} s"),
        < 3600 => string.Create(CultureInfo.InvariantCulture, $"{(int)seconds / 60} min {(int)seconds % 60} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)seconds / 3600} h {(int)seconds / 60 % 60} min"),
    };
}
