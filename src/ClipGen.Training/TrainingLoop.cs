using System.Globalization;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Tensors;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Control;
using ClipGen.Training.Reporting;

namespace ClipGen.Training;

/// <summary>How a run goes, whatever is trained.</summary>
public sealed record TrainingLoopOptions
{
    /// <summary>Epochs of the whole run.</summary>
    public required int Epochs { get; init; }

    /// <summary>When to save.</summary>
    public SaveSchedule SaveEvery { get; init; } = SaveSchedule.Default;

    /// <summary>Steps between two lines of the log.</summary>
    public int LogEvery { get; init; } = 50;

    /// <summary>Epochs between two validations.</summary>
    public int ValidateEvery { get; init; } = 1;

    /// <summary>Validate once and end.</summary>
    public bool EvaluateOnly { get; init; }

    /// <summary>Stop after so many steps of the whole run; 0 for no limit.</summary>
    public long MaxSteps { get; init; }
}

/// <summary>How a run ended.</summary>
/// <param name="Outcome">Finished, or stopped and by what.</param>
/// <param name="Finished">Whether all epochs are done.</param>
/// <param name="Validation">The last validation's numbers.</param>
public sealed record TrainingResult(string Outcome, bool Finished, IReadOnlyDictionary<string, double> Validation);

/// <summary>A loss became NaN or infinite.</summary>
public sealed class DivergedException(string message) : Exception(message);

/// <summary>
/// Drives a training: steps, log, metrics, event files, previews, report, validation, saving, and stopping on a signal. A run that is killed at any moment has
/// its last save; one that is resumed goes on bit for bit.
/// </summary>
public sealed class TrainingLoop(ITrainer trainer, RunFolder folder, RunDescription description, TrainingLoopOptions options, TrainingLog log, TrainingSignals signals)
{
    private readonly TrainingState state = trainer.State;
    private readonly Dictionary<string, (double Sum, int Count)> sums = [];
    private IReadOnlyDictionary<string, double> validation = new Dictionary<string, double>();
    private string outcome = "running";

    private long TotalSteps => options.MaxSteps > 0 ? Math.Min(options.MaxSteps, options.Epochs * trainer.StepsPerEpoch) : options.Epochs * trainer.StepsPerEpoch;

    /// <summary>Runs to the end, a signal or the limit of steps.</summary>
    /// <param name="available">Memory of the device, in bytes, for the estimate.</param>
    /// <param name="resumed">Whether the state was restored from a checkpoint.</param>
    /// <param name="cancellation">Ends the run without saving.</param>
    /// <exception cref="DivergedException">A loss is not finite; the newest checkpoint is from before.</exception>
    public TrainingResult Run(long available, bool resumed, CancellationToken cancellation)
    {
        // A checkpoint of the reference does not count steps over the whole run.
        if (state.GlobalStep < 0 || !resumed) state.GlobalStep = state.Epoch * trainer.StepsPerEpoch + state.Step;
        log.Describe(description);
        log.Memory(trainer.Memory, available);
        if (options.EvaluateOnly)
        {
            validation = trainer.Validate(cancellation);
            return new TrainingResult("evaluated", true, validation);
        }
        description.WriteJson(folder.ConfigPath);
        using var metrics = MetricsFile.Open(folder.MetricsPath, [.. trainer.StepMetrics.Concat(trainer.EpochMetrics).Select(name => $"train/{name}"), .. trainer.ValidationMetrics.Select(name => $"val/{name}")], resumed ? state.GlobalStep : null);
        using var events = new EventFile(folder.EventFolder);
        log.Start(trainer.StepMetrics, options.Epochs, state.GlobalStep, TotalSteps);
        options.SaveEvery.Saved(state.GlobalStep, TimeSpan.Zero);
        var firstStep = state.GlobalStep;
        while (state.Epoch < options.Epochs && !Stopped())
        {
            while (state.Step < trainer.StepsPerEpoch && !Stopped())
            {
                var (epoch, step) = (state.Epoch, state.Step);
                var values = trainer.Step(epoch, step, cancellation);
                if (values.Any(pair => !double.IsFinite(pair.Value))) throw Diverged(values, epoch, step, cancellation);
                Gather(values);
                state.Step++;
                state.GlobalStep++;
                if (state.GlobalStep % options.LogEvery == 0) Report(metrics, events, firstStep, values);
                if (options.SaveEvery.IsDue(state.GlobalStep, log.Elapsed) && state.Step < trainer.StepsPerEpoch)
                    using (log.Aside()) Save(numbered: true);
            }
            if (state.Step < trainer.StepsPerEpoch) break;
            using (log.Aside()) EndEpoch(metrics, events, cancellation);
        }
        var finished = state.Epoch >= options.Epochs;
        outcome = finished ? "finished" : signals.StopSignal is { } signal ? $"stopped by {signal}" : "stopped at the limit of steps";
        if (sums.Count > 0) Report(metrics, events, firstStep, null);
        Save(numbered: false);
        WriteReport();
        return new TrainingResult(outcome, finished, validation);
    }

    private bool Stopped() => signals.StopRequested || (options.MaxSteps > 0 && state.GlobalStep >= options.MaxSteps);

    private void Gather(IReadOnlyDictionary<string, double> values)
    {
        foreach (var (name, value) in values)
        {
            var (sum, count) = sums.GetValueOrDefault(name);
            sums[name] = (sum + value, count + 1);
        }
    }

    /// <summary>Means over the interval, for the log, the table and the event file.</summary>
    private void Report(MetricsFile metrics, EventFile events, long firstStep, IReadOnlyDictionary<string, double>? last)
    {
        var means = sums.ToDictionary(pair => pair.Key, pair => pair.Value.Sum / pair.Value.Count);
        // A learning rate's mean would belong to no step.
        if (last is not null && last.TryGetValue("lr", out var rate)) means["lr"] = rate;
        sums.Clear();
        log.Interval((int)state.Epoch, state.GlobalStep, (state.GlobalStep - firstStep) * trainer.BatchSize, means);
        Append(metrics, events, "train", state.Epoch, means);
        events.Flush();
    }

    private void Append(MetricsFile metrics, EventFile events, string group, long epoch, IReadOnlyDictionary<string, double> values)
    {
        var named = values.ToDictionary(pair => $"{group}/{pair.Key}", pair => pair.Value);
        metrics.Append((int)epoch, state.GlobalStep, named);
        foreach (var (name, value) in named) events.AddScalar(name, state.GlobalStep, value);
    }

    private void EndEpoch(MetricsFile metrics, EventFile events, CancellationToken cancellation)
    {
        var measured = trainer.EndEpoch(state.Epoch, log.Warn);
        Append(metrics, events, "train", state.Epoch, measured);
        var ended = state.Epoch;
        state.Epoch++;
        state.Step = 0;
        var due = state.Epoch % options.ValidateEvery == 0 || state.Epoch >= options.Epochs;
        var best = false;
        if (due)
        {
            validation = trainer.Validate(cancellation);
            Append(metrics, events, "val", ended, validation);
            var score = validation[trainer.ValidationMetrics[0]];
            if (best = score < state.BestScore) state.BestScore = score;
            log.Note($"epoch {ended} validation: {string.Join("  ", validation.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:G4}")))}{(measured.Count > 0 ? "  " : "")}{string.Join("  ", measured.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:G4}")))}{(best ? "  (best)" : "")}");
            foreach (var (tag, grid) in trainer.Preview(cancellation))
            {
                var path = folder.PreviewPath(tag.Replace('/', '_').Replace('-', '_'), state.GlobalStep);
                PictureFile.Save(grid, path);
                events.AddImage(tag, state.GlobalStep, File.ReadAllBytes(path));
            }
        }
        Save(numbered: false);
        if (best) TrainingCheckpoint.Write(folder.BestCheckpoint, state);
        events.Flush();
        if (due) WriteReport();
    }

    private void Save(bool numbered)
    {
        TrainingCheckpoint.Write(folder.LatestCheckpoint, state);
        if (numbered) folder.SaveNumbered(state.GlobalStep, path => TrainingCheckpoint.Write(path, state));
        options.SaveEvery.Saved(state.GlobalStep, log.Elapsed);
    }

    private void WriteReport()
    {
        var pictures = folder.LatestPreviews().Select(preview => new ReportPicture($"{preview.Name.Replace('_', ' ')} after {preview.Step:N0} steps", File.ReadAllBytes(preview.Path))).ToArray();
        HtmlReport.Write(folder.ReportPath, description, new RunProgress(outcome, state.GlobalStep, TotalSteps, log.Elapsed, DateTimeOffset.Now), MetricsTable.Read(folder.MetricsPath), pictures);
    }

    private DivergedException Diverged(IReadOnlyDictionary<string, double> values, long epoch, long step, CancellationToken cancellation)
    {
        var what = string.Join(", ", values.Where(pair => !double.IsFinite(pair.Value)).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} is {pair.Value}")));
        var where = "no single op of the next pass gave such a value";
        try
        {
            trainer.FindNonFinite(epoch, step, cancellation);
        }
        catch (NonFiniteException e)
        {
            where = e.Message;
        }
        return new DivergedException($"training diverged at epoch {epoch}, step {step}: {what}; {where}. Nothing was saved since; resume from {folder.LatestCheckpoint} with a smaller --lr or with --clip-norm");
    }
}
