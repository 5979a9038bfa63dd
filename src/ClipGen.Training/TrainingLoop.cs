using System.Globalization;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Kernels;
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
/// its last save; one that is resumed goes on bit for bit. A signal lets a step that has begun come to its end, then the run saves; waiting for data and validations, which change
/// nothing, are broken off and done again when the run goes on.
/// </summary>
public sealed class TrainingLoop(ITrainer trainer, RunFolder folder, RunDescription description, TrainingLoopOptions options, TrainingLog log, TrainingSignals signals)
{
    private readonly TrainingState state = trainer.State;
    private readonly Dictionary<string, (double Sum, int Count)> sums = [];
    private IReadOnlyDictionary<string, double> validation = new Dictionary<string, double>();
    private double lastRate = double.NaN;
    private long firstStep;
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
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellation, signals.Stopping);
        if (options.EvaluateOnly)
        {
            validation = trainer.Validate(stopping.Token);
            return new TrainingResult("evaluated", true, validation);
        }
        description.WriteJson(folder.ConfigPath);
        using var metrics = MetricsFile.Open(folder.MetricsPath, [.. trainer.StepMetrics.Concat(trainer.EpochMetrics).Select(name => $"train/{name}"), .. trainer.ValidationMetrics.Select(name => $"val/{name}")], resumed ? state.GlobalStep : null);
        using var events = new EventFile(folder.EventFolder);
        log.Start(trainer.StepMetrics, options.Epochs, state.GlobalStep, TotalSteps);
        options.SaveEvery.Saved(state.GlobalStep, TimeSpan.Zero);
        firstStep = state.GlobalStep;
        try
        {
            while (state.Epoch < options.Epochs && !signals.StopRequested)
            {
                // An epoch whose end was broken off begins with it.
                if (state.Step >= trainer.StepsPerEpoch)
                    using (log.Aside()) EndEpoch(metrics, events, stopping.Token);
                else if (options.MaxSteps > 0 && state.GlobalStep >= options.MaxSteps) break;
                else TakeStep(metrics, events, stopping.Token);
            }
        }
        catch (OperationCanceledException) when (signals.StopRequested && !cancellation.IsCancellationRequested)
        {
            // What was broken off had changed nothing yet.
        }
        var finished = state.Epoch >= options.Epochs;
        outcome = finished ? "finished" : signals.StopSignal is { } signal ? $"stopped by {signal}" : "stopped at the limit of steps";
        if (sums.Count > 0) Report(metrics, events);
        Save(numbered: false);
        WriteReport();
        return new TrainingResult(outcome, finished, validation);
    }

    private void TakeStep(MetricsFile metrics, EventFile events, CancellationToken stopping)
    {
        var (epoch, step) = (state.Epoch, state.Step);
        using var span = Profiler.Enter("step");
        var values = trainer.Step(epoch, step, stopping);
        if (values.Any(pair => !double.IsFinite(pair.Value))) throw Diverged(values, epoch, step);
        Gather(values);
        state.Step++;
        state.GlobalStep++;
        if (state.GlobalStep % options.LogEvery == 0) Report(metrics, events);
        if (options.SaveEvery.IsDue(state.GlobalStep, log.Elapsed) && state.Step < trainer.StepsPerEpoch)
            using (log.Aside()) Save(numbered: true);
    }

    private void Gather(IReadOnlyDictionary<string, double> values)
    {
        foreach (var (name, value) in values)
        {
            var (sum, count) = sums.GetValueOrDefault(name);
            sums[name] = (sum + value, count + 1);
        }
        lastRate = values.GetValueOrDefault("lr", double.NaN);
    }

    /// <summary>Means over the interval, for the log, the table and the event file.</summary>
    private void Report(MetricsFile metrics, EventFile events)
    {
        var means = sums.ToDictionary(pair => pair.Key, pair => pair.Value.Sum / pair.Value.Count);
        // A learning rate's mean would belong to no step.
        if (means.ContainsKey("lr")) means["lr"] = lastRate;
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

    private void EndEpoch(MetricsFile metrics, EventFile events, CancellationToken stopping)
    {
        var (ended, last) = (state.Epoch, state.Epoch + 1 >= options.Epochs);
        var due = (ended + 1) % options.ValidateEvery == 0 || last;
        IReadOnlyList<(string Tag, Picture Grid)> previews = [];
        // These two may be broken off: nothing has changed before them.
        if (due)
            using (Profiler.Enter("validation")) (validation, previews) = (trainer.Validate(stopping), trainer.Preview(stopping));
        // The last interval's line belongs to the last epoch.
        if (last && sums.Count > 0) Report(metrics, events);
        var measured = trainer.EndEpoch(ended, log.Warn);
        Append(metrics, events, "train", ended, measured);
        state.Epoch++;
        state.Step = 0;
        var best = false;
        if (due)
        {
            Append(metrics, events, "val", ended, validation);
            var score = validation[trainer.ValidationMetrics[0]];
            if (best = score < state.BestScore) state.BestScore = score;
            log.Note($"epoch {ended} validation: {string.Join("  ", validation.Concat(measured.Select(pair => new KeyValuePair<string, double>($"train/{pair.Key}", pair.Value))).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:G4}")))}{(best ? "  (best)" : "")}");
            foreach (var (tag, grid) in previews)
            {
                var path = folder.PreviewPath(tag.Replace('/', '_').Replace('-', '_'), state.GlobalStep);
                PictureFile.Save(grid, path);
                events.AddImage(tag, state.GlobalStep, File.ReadAllBytes(path));
            }
        }
        // The best one first: a run that is killed between the two comes here again.
        if (best) Write(folder.BestCheckpoint);
        Save(numbered: false);
        events.Flush();
        if (due) WriteReport();
    }

    private void Save(bool numbered)
    {
        using var span = Profiler.Enter("save");
        Write(folder.LatestCheckpoint);
        if (numbered) folder.SaveNumbered(state.GlobalStep, Write);
        options.SaveEvery.Saved(state.GlobalStep, log.Elapsed);
    }

    /// <summary>A good checkpoint is never replaced by one that nobody could go on from.</summary>
    private void Write(string path)
    {
        foreach (var parameter in state.Parameters)
            if (!Array.TrueForAll(parameter.Value.ToFloats(), float.IsFinite))
                throw new DivergedException($"training diverged by step {state.GlobalStep}: {parameter} is not finite. {Advice}");
        TrainingCheckpoint.Write(path, state);
    }

    private void WriteReport()
    {
        var pictures = folder.LatestPreviews().Select(preview => new ReportPicture($"{preview.Name.Replace('_', ' ')} after {preview.Step:N0} steps", File.ReadAllBytes(preview.Path))).ToArray();
        HtmlReport.Write(folder.ReportPath, description, new RunProgress(outcome, state.GlobalStep, TotalSteps, log.Elapsed, DateTimeOffset.Now), MetricsTable.Read(folder.MetricsPath), pictures);
    }

    private string Advice => File.Exists(folder.LatestCheckpoint)
        ? $"{folder.LatestCheckpoint} is as it was at the last save; go on from it with a smaller --lr or with --clip-norm 1"
        : "Nothing was saved yet; begin again with a smaller --lr or with --clip-norm 1";

    private DivergedException Diverged(IReadOnlyDictionary<string, double> values, long epoch, long step)
    {
        var what = string.Join(", ", values.Where(pair => !double.IsFinite(pair.Value)).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} is {pair.Value}")));
        var where = "no single op of the next pass gave such a value";
        try
        {
            trainer.FindNonFinite(epoch, step, CancellationToken.None);
        }
        catch (NonFiniteException e)
        {
            where = e.Message;
        }
        return new DivergedException($"training diverged at epoch {epoch}, step {step}: {what}; {where}. {Advice}");
    }
}
