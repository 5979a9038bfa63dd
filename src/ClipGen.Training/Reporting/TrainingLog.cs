using System.Globalization;
using System.Text;
using ClipGen.Training.Control;
using Spectre.Console;

namespace ClipGen.Training.Reporting;

/// <summary>A part of the memory that a run will need.</summary>
/// <param name="Name">What it holds: weights, gradients, optimizer, activations.</param>
/// <param name="Bytes">Its size.</param>
public readonly record struct MemoryPart(string Name, long Bytes);

/// <summary>
/// What a training says on the error stream: its settings at the start, then one line per interval with columns that stay in their places,
/// <code>epoch 3  step 1240/4000  loss      1.234  lr    4.5e-06      212 ms      75.2 images/s  12m left</code>
/// and a line at the end. Quiet, only the last. Step time and speed are those of the last minute, without what happened aside.
/// </summary>
public sealed class TrainingLog
{
    private readonly TextWriter error;
    private readonly bool quiet, terminal;
    private readonly TimeProvider time;
    private readonly RateWindow window = new();
    private IReadOnlyList<string> columns = [];
    private int epochDigits, stepDigits;
    private long firstStep, totalSteps, images, startedAt;
    private TimeSpan aside;
    private bool isAside;

    /// <summary>A log on a stream.</summary>
    /// <param name="error">The error stream.</param>
    /// <param name="quiet">Whether to keep silent but for the last line.</param>
    /// <param name="terminal">Whether the stream is a terminal, so that the table may have lines; told from the stream by default.</param>
    /// <param name="time">Clock; the system's by default.</param>
    public TrainingLog(TextWriter error, bool quiet = false, bool? terminal = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(error);
        (this.error, this.quiet) = (error, quiet);
        this.terminal = terminal ?? (ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected);
        this.time = time ?? TimeProvider.System;
        startedAt = this.time.GetTimestamp();
    }

    /// <summary>Time since <see cref="Start"/>, everything included.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(startedAt);

    /// <summary>Says what will run: command, model, every setting with its value and where the value is from.</summary>
    public void Describe(RunDescription run)
    {
        ArgumentNullException.ThrowIfNull(run);
        if (quiet) return;
        error.WriteLine(OneLine.Of($"{run.Command}: {run.Model}, seed {run.Seed}"));
        if (run.Settings.Count == 0) return;
        (string Name, string Value, string From)[] rows = [.. run.Settings.Select(s => (OneLine.Of(s.Name), OneLine.Of(s.Value), RunDescription.NameOf(s.Origin)))];
        if (terminal)
        {
            WriteTable(rows);
            return;
        }
        // One long path must not push the last column out of sight.
        var (names, values) = (rows.Max(row => row.Name.Length), Math.Min(48, rows.Max(row => row.Value.Length)));
        foreach (var (name, value, from) in rows) error.WriteLine($"  {name.PadRight(names)}  {value.PadRight(values)}  {from}");
    }

    /// <summary>Says how much memory the run will take: parts, sum, and what there is.</summary>
    /// <param name="parts">The parts, in bytes.</param>
    /// <param name="available">Memory of the device, in bytes.</param>
    public void Memory(IReadOnlyList<MemoryPart> parts, long available)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (!quiet) error.WriteLine($"memory: about {Size(parts.Sum(part => part.Bytes))} of {Size(available)} ({string.Join(" + ", parts.Select(part => $"{OneLine.Of(part.Name)} {Size(part.Bytes)}"))})");
    }

    /// <summary>Starts the clock and fixes the columns.</summary>
    /// <param name="metricNames">Numbers of each line, in order; one that is not measured yet shows as a dash.</param>
    /// <param name="epochs">Epochs of the whole run.</param>
    /// <param name="doneSteps">Steps done before, of a run that is continued.</param>
    /// <param name="steps">Steps of the whole run.</param>
    public void Start(IReadOnlyList<string> metricNames, int epochs, long doneSteps, long steps)
    {
        ArgumentNullException.ThrowIfNull(metricNames);
        (columns, firstStep, totalSteps, startedAt) = (metricNames, doneSteps, steps, time.GetTimestamp());
        (epochDigits, stepDigits) = (Digits(Math.Max(0, epochs - 1)), Digits(steps));
        window.Add(TimeSpan.Zero, doneSteps, 0);
    }

    /// <summary>Says where the run stands.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="step">Steps done in the whole run.</param>
    /// <param name="imagesDone">Images trained on since <see cref="Start"/>.</param>
    /// <param name="values">Numbers by name.</param>
    public void Interval(int epoch, long step, long imagesDone, IReadOnlyDictionary<string, double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        images = imagesDone;
        window.Add(Elapsed - aside, step, imagesDone);
        if (quiet) return;
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"epoch {epoch.ToString(CultureInfo.InvariantCulture).PadLeft(epochDigits)}  step {step.ToString(CultureInfo.InvariantCulture).PadLeft(stepDigits)}/{totalSteps}");
        foreach (var name in columns)
            line.Append(CultureInfo.InvariantCulture, $"  {name} {(values.TryGetValue(name, out var value) ? NumberText.Of(value) : "-").PadLeft(NumberText.Width)}");
        var perStep = window.SecondsPerStep;
        var milliseconds = double.IsNaN(perStep) ? "-" : (perStep * 1000).ToString(perStep < 0.01 ? "F2" : "F0", CultureInfo.InvariantCulture);
        var rate = double.IsNaN(window.ImagesPerSecond) ? "-" : window.ImagesPerSecond.ToString("F1", CultureInfo.InvariantCulture);
        var left = double.IsNaN(perStep) ? "-" : DurationText.Of(TimeSpan.FromSeconds(Math.Min(perStep * Math.Max(0, totalSteps - step), 1e10)));
        error.WriteLine(line.Append(CultureInfo.InvariantCulture, $"  {milliseconds,6} ms  {rate,8} images/s  {left,7} left"));
    }

    /// <summary>Keeps what happens until the result is disposed (a validation, a save) out of step time, speed and time left.</summary>
    /// <exception cref="InvalidOperationException">Something is aside already.</exception>
    public IDisposable Aside()
    {
        if (isAside) throw new InvalidOperationException("something is aside already; dispose that first");
        isAside = true;
        return new AsideClock(this);
    }

    /// <summary>Something worth knowing, in one line.</summary>
    public void Note(string message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (!quiet) error.WriteLine(OneLine.Of(message));
    }

    /// <summary>A warning, in one line.</summary>
    public void Warn(string message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (!quiet) error.WriteLine($"warning: {OneLine.Of(message)}");
    }

    /// <summary>The last line: how the run ended, steps, time, speed over all, and where its results are.</summary>
    /// <param name="outcome">Finished, or stopped by which signal.</param>
    /// <param name="step">Steps done in the whole run.</param>
    /// <param name="folder">The run's folder.</param>
    public void End(string outcome, long step, string folder)
    {
        var elapsed = Elapsed;
        var rate = images > 0 && elapsed > TimeSpan.Zero ? string.Create(CultureInfo.InvariantCulture, $", {images / elapsed.TotalSeconds:F1} images/s") : "";
        error.WriteLine(OneLine.Of(string.Create(CultureInfo.InvariantCulture, $"{outcome}: step {step}/{totalSteps}, {step - firstStep} steps in {DurationText.Of(elapsed)}{rate}; {folder}")));
    }

    private static int Digits(long number) => number.ToString(CultureInfo.InvariantCulture).Length;

    private static string Size(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):F1} GiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):F0} MiB"),
    };

    private void WriteTable((string Name, string Value, string From)[] rows)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("setting", "value", "from");
        // Text, not markup: brackets in a value are the user's.
        foreach (var (name, value, from) in rows) table.AddRow(new Text(name), new Text(value), new Text(from));
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) }).Write(table);
    }

    private sealed class AsideClock(TrainingLog log) : IDisposable
    {
        private readonly long since = log.time.GetTimestamp();
        private bool ended;

        public void Dispose()
        {
            if (ended) return;
            ended = true;
            log.aside += log.time.GetElapsedTime(since);
            log.isAside = false;
        }
    }
}
