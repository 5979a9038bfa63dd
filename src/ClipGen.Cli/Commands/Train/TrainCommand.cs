using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ClipGen.Checkpoints;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Control;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Commands.Train;

/// <summary>What the three <c>train</c> commands have in common: the data, the run, its folder, resuming.</summary>
internal abstract class TrainCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private const string SizesKey = "sizes";
    private readonly Option<string> ds = new("--ds") { Description = "Pictures: a folder (with its subfolders), a text file that names one per line, records (.ffr, .tar), coco, imagenet, googlecc, or shapes", Required = true };
    private readonly NamedDatasetOption dataRoot = new();
    private readonly Option<double> valShare = new("--val-share") { Description = "Share of the pictures to validate on", DefaultValueFactory = _ => 0.02 };
    private readonly Option<long> scenes = new("--scenes") { Description = "Scenes of an epoch of --ds shapes", DefaultValueFactory = _ => PictureDatasets.ShapesCount };
    private readonly Option<int?> size = new("--size") { Description = "Side of the square crops in pixels; by default 256, or 64 for --ds shapes" };
    private readonly Option<int?> bs = new("--bs") { Description = "Pictures of a batch" };
    private readonly Option<int?> epochs = new("--epochs") { Description = "Epochs of the whole run" };
    private readonly Option<double?> lr = new("--lr") { Description = "Highest learning rate; by default it follows from the batch as in the reference" };
    private readonly Option<string?> schedule = new("--lr-schedule") { Description = "constant, or cosine behind a linear warm-up" };
    private readonly Option<double?> warmup = new("--warmup-epochs") { Description = "Epochs of the warm-up, parts of them included" };
    private readonly Option<double> minLr = new("--min-lr") { Description = "Learning rate at the end of a cosine" };
    private readonly Option<double> clipNorm = new("--clip-norm") { Description = "Longest gradient; 0 for no limit" };
    private readonly Option<string?> outFolder = new("--out") { Description = "Folder of the run; by default output/KIND/DATASET" };
    private readonly Option<string> resume = new("--resume") { Description = "auto goes on where the folder's latest.pt stands, none begins anew, anything else is a checkpoint to continue from", DefaultValueFactory = _ => "auto" };
    private readonly Option<string> saveEvery = new("--save-every") { Description = "Steps (500) or time (90s, 10m, 2h) between two saves", DefaultValueFactory = _ => "10m" };
    private readonly Option<int> keep = new("--keep") { Description = "Numbered checkpoints to keep", DefaultValueFactory = _ => 3 };
    private readonly Option<int> logEvery = new("--log-every") { Description = "Steps between two lines of the log", DefaultValueFactory = _ => 50 };
    private readonly Option<int?> valEvery = new("--val-every") { Description = "Epochs between two validations" };
    private readonly Option<long> maxSteps = new("--max-steps") { Description = "End after so many steps of the whole run; 0 for no limit" };
    private readonly Option<bool> overfit = new("--overfit-one-batch") { Description = "Train on the first batch again and again: a check that a model can learn at all" };
    private readonly Option<bool> evalOnly = new("--eval-only") { Description = "Validate what --resume names, and end" };
    private readonly MixedPrecision amp = new();
    private readonly List<Setting> settings = [];

    /// <summary>Kind of training: <c>vqgan</c>, <c>gpt</c>, <c>clip</c>.</summary>
    protected abstract string Kind { get; }

    /// <summary>Options of this kind alone.</summary>
    protected abstract IEnumerable<Option> OwnOptions { get; }

    /// <summary>Values that hold when an option is not given.</summary>
    protected abstract TrainDefaults Defaults(ParseResult parsed, bool shapes);

    /// <summary>Options that decide the sizes of a new model; a run that goes on has them from its checkpoint.</summary>
    protected abstract IReadOnlyList<Option> SizeOptions { get; }

    /// <summary>Options that belong to the synthetic world alone.</summary>
    protected virtual IReadOnlyList<Option> ShapesOptions => [];

    /// <summary>Which scenes of the synthetic world come together, and how sentences tell of them.</summary>
    protected virtual ShapesLesson Lesson(ParseResult parsed) => ShapesLesson.None;

    /// <summary>What else a run can't go on without, beside the data, the batch and the seed.</summary>
    protected virtual IEnumerable<(string Key, JsonNode Value)> RunParts(ParseResult parsed) => [];

    /// <summary>Whether it learns from sentences too.</summary>
    protected virtual bool NeedsCaptions => false;

    /// <summary>Builds the trainer: over the weights of a checkpoint, or new ones.</summary>
    protected abstract ITrainer Build(TrainJob job);

    /// <summary>Builds the command.</summary>
    protected Command Create(string description, params string[] examples)
    {
        var command = Command(Kind, description, Run, examples);
        foreach (var option in (Option[])[ds, dataRoot.Option, .. OwnOptions]) command.Add(option);
        foreach (var option in new Option[] { valShare, scenes, size, bs, epochs, lr, schedule, warmup, minLr, clipNorm, outFolder, resume, saveEvery, keep, logEvery, valEvery, maxSteps, overfit, evalOnly, amp.Option }) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    /// <summary><c>--hard-negatives</c>: scenes of the synthetic world that come together in a batch.</summary>
    protected static Option<int> HardNegatives(int usual) => new("--hard-negatives")
    {
        Description = "Scenes in each group of a batch of --ds shapes: all but the first differ from it in one thing that sentences tell. 1 for independent scenes",
        DefaultValueFactory = _ => usual,
    };

    /// <summary>The value of <c>--hard-negatives</c>.</summary>
    protected int GroupSize(ParseResult parsed, Option<int> option) =>
        Noted(parsed, option) is >= 1 and <= ShapesWorld.LargestFamily and var size ? size : throw new UsageException($"{option.Name} {parsed.GetValue(option)}: expected 1 to {ShapesWorld.LargestFamily}");

    /// <summary>A share of something: from 0 to below 1, or to 1 where it may be all of it.</summary>
    protected static double Share(string option, double value, bool maybeAll) =>
        value >= 0 && (value < 1 || maybeAll && value == 1) ? value : throw new UsageException($"{option} {value}: expected a share from 0 to {(maybeAll ? "1" : "below 1")}");

    /// <summary>The value of an option, noted for the table of settings.</summary>
    protected T Noted<T>(ParseResult parsed, Option<T> option) => Note(parsed, option, parsed.GetValue(option)!);

    /// <summary>The value of an option, or the default of this kind of training and data.</summary>
    protected T Noted<T>(ParseResult parsed, Option<T?> option, T otherwise) where T : struct => Note(parsed, option, parsed.GetValue(option) ?? otherwise);

    /// <inheritdoc cref="Noted{T}(ParseResult, Option{T?}, T)"/>
    protected string Noted(ParseResult parsed, Option<string?> option, string otherwise) => Note(parsed, option, parsed.GetValue(option) ?? otherwise);

    private T Note<T>(ParseResult parsed, Option option, T value)
    {
        var given = parsed.GetResult(option) is { Implicit: false };
        settings.Add(new Setting(option.Name.TrimStart('-'), Convert.ToString(value, CultureInfo.InvariantCulture) ?? "", given ? SettingOrigin.Option : SettingOrigin.Default));
        return value;
    }

    /// <summary>What to train on, and what to validate on where it comes with that.</summary>
    private DatasetSplit Open(ParseResult parsed, string name, ulong seed, long count, ShapesLesson lesson, TrainingLog log)
    {
        var split = dataRoot.Open(parsed, "--ds", name, NeedsCaptions)
            ?? new DatasetSplit(NeedsCaptions ? PictureDatasets.OpenCaptioned(name, seed, count, lesson) : PictureDatasets.Open(name, seed, count, lesson), null);
        if (split.Train is CaptionedPictures { LeftOut: > 0 and var without }) log.Warn(string.Create(CultureInfo.InvariantCulture, $"{without:N0} pictures of {name} have no sentence and are left out"));
        return split;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var name = Noted(parsed, ds);
        var shapes = name == PictureDatasets.Shapes;
        var defaults = Defaults(parsed, shapes);
        var seed = Common.Seed(parsed);
        var batch = Positive("--bs", Noted(parsed, bs, defaults.Batch));
        var side = Positive("--size", Noted(parsed, size, shapes ? 64 : 256));
        var runEpochs = Positive("--epochs", Noted(parsed, epochs, defaults.Epochs));
        var share = Noted(parsed, valShare);
        if (!(share > 0 && share < 1)) throw new UsageException($"--val-share {share}: expected a number above 0 and below 1");
        var rate = Noted(parsed, lr, defaults.LearningRate(batch));
        if (!(rate > 0) || !double.IsFinite(rate)) throw new UsageException($"--lr {rate}: expected a positive number");
        foreach (var option in (Option[])[scenes, .. ShapesOptions])
            if (!shapes && parsed.GetResult(option) is { Implicit: false }) throw new UsageException($"{option.Name}: belongs to --ds {PictureDatasets.Shapes}");
        var rates = Schedule(parsed, defaults, rate, runEpochs);
        var norm = Noted(parsed, clipNorm);
        if (!(norm >= 0)) throw new UsageException($"--clip-norm {norm}: expected a length, or 0 for no limit");
        var save = SaveEvery(Noted(parsed, saveEvery));
        var options = new TrainingLoopOptions
        {
            Epochs = runEpochs,
            SaveEvery = save,
            LogEvery = Positive("--log-every", parsed.GetValue(logEvery)),
            ValidateEvery = Positive("--val-every", Noted(parsed, valEvery, defaults.ValidateEvery)),
            EvaluateOnly = parsed.GetValue(evalOnly),
            MaxSteps = parsed.GetValue(maxSteps) is >= 0 and var most ? most : throw new UsageException("--max-steps: expected 0 (no limit) or more"),
        };
        var place = parsed.GetValue(outFolder) ?? Path.Combine("output", Kind, shapes ? name : Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(name)));
        var log = new TrainingLog(Error, Common.Quiet(parsed));
        // The data before anything is written: an empty folder should leave no run behind.
        var lesson = shapes ? Lesson(parsed) : ShapesLesson.None;
        if (batch % lesson.Family != 0) throw new UsageException($"--bs {batch}: expected a multiple of the {lesson.Family} scenes of a group (--hard-negatives)");
        var split = Open(parsed, name, seed, shapes ? Noted(parsed, scenes) : PictureDatasets.ShapesCount, lesson, log);
        if (split.Validation is null) split = split.Train.Split(share);
        using var data = new TrainingData(split, side, batch, seed, parsed.GetValue(overfit), log.Warn);
        using var folder = RunFolder.Open(place, Positive("--keep", parsed.GetValue(keep)));
        var checkpointPath = ResumeFrom(folder, parsed.GetValue(resume)!, options.EvaluateOnly);
        using var device = Common.OpenDevice(parsed);
        Noted(parsed, amp.Option);
        amp.Apply(parsed, device);
        device.Backend.PoolLimit = long.MaxValue;

        var run = new JsonObject { ["ds"] = name, ["size"] = side, ["bs"] = batch, ["seed"] = seed };
        if (shapes) run["scenes"] = parsed.GetValue(scenes);
        else run["val-share"] = share;
        foreach (var (key, value) in RunParts(parsed)) run[key] = value;
        var job = new TrainJob(parsed, device, data, rates, rate, norm, seed, null, run, folder, log);
        using var trainer = checkpointPath is null ? Build(job) : GoOn(job, checkpointPath, isOwn: Path.GetDirectoryName(Path.GetFullPath(checkpointPath)) == Path.GetFullPath(folder.Path));

        var description = new RunDescription
        {
            Command = $"train {Kind}",
            Model = trainer.Model,
            CommandLine = $"clipgen train {Kind} {string.Join(' ', parsed.Tokens.Skip(2).Select(token => token.Value))}",
            Seed = trainer.State.Seed,
            Started = DateTimeOffset.Now,
            Settings = [.. settings, .. checkpointPath is null ? [] : new[] { new Setting("resume", checkpointPath, SettingOrigin.Checkpoint) }],
        };
        using var signals = new TrainingSignals();
        var loop = new TrainingLoop(trainer, folder, description, options, log, signals);
        var result = loop.Run(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, checkpointPath is not null, CancellationToken.None);
        if (data.UnreadableCount > 0) log.Warn($"{data.UnreadableCount} pictures could not be read; others took their places");
        if (!options.EvaluateOnly) log.End(result.Outcome, trainer.State.GlobalStep, folder.Path);
        if (!result.Finished) Error.WriteLine($"go on with the same command{(signals.StopSignal is null ? " and a larger --max-steps" : "")}; it continues from {folder.LatestCheckpoint}");
        Report(parsed, result, folder);
        return 0;
    }

    private ModelKind ModelKind => Kind switch
    {
        "vqgan" => ModelKind.VqGan,
        "gpt" => ModelKind.Gpt,
        _ => ModelKind.Clip,
    };

    private ISchedule Schedule(ParseResult parsed, TrainDefaults defaults, double rate, int runEpochs)
    {
        var kind = Noted(parsed, schedule, defaults.Schedule);
        var warm = Noted(parsed, warmup, kind == "constant" ? 0 : Math.Min(defaults.Warmup, runEpochs / 10.0));
        var least = Noted(parsed, minLr);
        if (kind == "constant")
        {
            if (parsed.GetResult(warmup) is { Implicit: false } || parsed.GetResult(minLr) is { Implicit: false }) throw new UsageException("--warmup-epochs and --min-lr belong to --lr-schedule cosine");
            return new ConstantSchedule(rate);
        }
        if (kind != "cosine") throw new UsageException($"--lr-schedule {kind}: expected constant or cosine");
        if (!(warm >= 0 && warm < runEpochs)) throw new UsageException($"--warmup-epochs {warm}: expected less than the {runEpochs} epochs of the run");
        if (!(least >= 0 && least <= rate)) throw new UsageException($"--min-lr {least}: expected at most the learning rate of {rate}");
        return new WarmupCosineSchedule(rate, warm, runEpochs, least);
    }

    private static string? ResumeFrom(RunFolder folder, string option, bool evaluateOnly)
    {
        if (option == "none")
        {
            if (evaluateOnly) throw new UsageException("--eval-only needs a checkpoint; give --resume auto or a file");
            if (folder.ResumeCandidates().Count > 0) throw new UsageException($"--resume none: {folder.Path} holds {folder.ResumeCandidates()[0]}; choose another --out, remove it, or go on with --resume auto");
            return null;
        }
        var found = folder.Resume(option);
        if (found is null && evaluateOnly) throw new UsageException($"--eval-only: there is no {folder.LatestCheckpoint}; give a checkpoint with --resume");
        return found;
    }

    /// <summary>A trainer that stands where the checkpoint does. The file is closed then: it will be replaced, and an open one would keep its space.</summary>
    private ITrainer GoOn(TrainJob job, string path, bool isOwn)
    {
        using var checkpoint = Checkpoint.Open(path);
        using var weights = CheckpointWeights.Open(path, ModelKind);
        RequireSameRun(checkpoint, job, isOwn);
        var trainer = Build(job with { Checkpoint = checkpoint, IsOwn = isOwn, Weights = weights, Vocabulary = ModelConfiguration.TextOf(checkpoint, ModelConfiguration.VocabularyKey) });
        try
        {
            foreach (var remark in TrainingCheckpoint.Restore(checkpoint, trainer.State)) job.Log.Warn(remark);
            // A branch has a best of its own: what it validates on may be easier or harder than what the other did.
            if (!isOwn) trainer.State.BestScore = double.PositiveInfinity;
            if (trainer.State.Step > trainer.StepsPerEpoch)
                throw new UsageException($"{path}: stands at step {trainer.State.Step} of its epoch, an epoch here has {trainer.StepsPerEpoch}; give the --ds and --bs that the run was begun with");
            return trainer;
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
    }

    /// <summary>A run goes on bit for bit only with the data and batches that it was begun with; one that takes up another's checkpoint may have its own. The model has the sizes that it has.</summary>
    private void RequireSameRun(Checkpoint checkpoint, TrainJob job, bool isOwn)
    {
        var before = RunOf(checkpoint);
        foreach (var (key, value) in job.Run)
        {
            if (before[key] is not { } old || old.ToJsonString() == value!.ToJsonString()) continue;
            // The seed goes on with the state, which noise and dropout follow.
            if (isOwn || key == "seed") throw new UsageException($"--{key} {value}: {checkpoint.Path} was begun with --{key} {old}; give that, or another --out to begin anew");
            job.Log.Warn($"--{key} {value}: {checkpoint.Path} was begun with --{key} {old}");
        }
        var sizes = before[SizesKey] as JsonObject;
        foreach (var option in SizeOptions)
        {
            var (name, old) = (option.Name.TrimStart('-'), sizes?[option.Name.TrimStart('-')]?.ToString());
            if (old is not null) settings.Add(new Setting(name, old, SettingOrigin.Checkpoint));
            if (job.Parsed.GetResult(option) is not { Implicit: false } given || given.Tokens.Count == 0) continue;
            var asked = given.Tokens[0].Value;
            if (old is null) job.Log.Warn($"{option.Name} {asked} has no effect: the model's sizes are those of {checkpoint.Path}");
            else if (asked != old) throw new UsageException($"{option.Name} {asked}: the model in {checkpoint.Path} was made with {option.Name} {old}; give that, or another --out to begin anew");
        }
        if (sizes is not null) job.Run[SizesKey] = sizes.DeepClone();
    }

    /// <summary>The size that a model was made with which goes on, where its checkpoint tells it.</summary>
    protected static int? SizeBefore(TrainJob job, Option<int?> option) =>
        int.TryParse((job.Run[SizesKey] as JsonObject)?[option.Name.TrimStart('-')]?.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is >= 1 and <= 1 << 20 ? size : null;

    /// <summary>What a checkpoint of ClipGen says about its run; nothing of others.</summary>
    private static JsonObject RunOf(Checkpoint checkpoint)
    {
        if (ModelConfiguration.TextOf(checkpoint, ModelConfiguration.Key) is not { } text) return [];
        try
        {
            return (JsonNode.Parse(text) as JsonObject)?["run"] as JsonObject ?? [];
        }
        catch (JsonException e)
        {
            throw new CheckpointException(checkpoint.Path, $"'{ModelConfiguration.Key}' is not the JSON that ClipGen writes: {e.Message}");
        }
    }

    /// <summary>The configuration as the checkpoints hold it; sizes that shapes don't tell go under <c>model</c>.</summary>
    protected string Configuration(TrainJob job, IReadOnlyDictionary<string, int> options)
    {
        var run = (JsonObject)job.Run.DeepClone();
        if (job.Weights is null)
        {
            var names = SizeOptions.Select(option => option.Name.TrimStart('-')).ToHashSet();
            run[SizesKey] = new JsonObject(settings.Where(setting => names.Contains(setting.Name)).Select(setting => KeyValuePair.Create<string, JsonNode?>(setting.Name, setting.Value)));
        }
        return new JsonObject { ["model"] = new JsonObject(options.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, pair.Value))), ["run"] = run }.ToJsonString();
    }

    private static SaveSchedule SaveEvery(string text)
    {
        try
        {
            return SaveSchedule.Parse(text);
        }
        catch (FormatException wrong)
        {
            throw new UsageException(wrong.Message);
        }
    }

    private static int Positive(string option, int value) => value >= 1 ? value : throw new UsageException($"{option} {value}: expected 1 or more");

    private void Report(ParseResult parsed, TrainingResult result, RunFolder folder)
    {
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new { outcome = result.Outcome, finished = result.Finished, folder = folder.Path, validation = result.Validation }));
            return;
        }
        foreach (var (name, value) in result.Validation) Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} {value:G6}"));
        Output.WriteLine(folder.Path);
    }
}

/// <summary>Values that hold when an option is not given.</summary>
/// <param name="Batch">Pictures of a batch.</param>
/// <param name="Epochs">Epochs.</param>
/// <param name="LearningRate">Learning rate by the batch.</param>
/// <param name="Schedule">constant or cosine.</param>
/// <param name="Warmup">Epochs of the warm-up, at most a tenth of the run.</param>
/// <param name="ValidateEvery">Epochs between two validations.</param>
internal sealed record TrainDefaults(int Batch, int Epochs, Func<int, double> LearningRate, string Schedule, double Warmup, int ValidateEvery);

/// <summary>What a trainer is built from.</summary>
/// <param name="Parsed">The command line.</param>
/// <param name="Device">Where to train.</param>
/// <param name="Data">Batches.</param>
/// <param name="Schedule">Learning rate over the run.</param>
/// <param name="Rate">Its highest value.</param>
/// <param name="ClipNorm">Longest gradient, or 0.</param>
/// <param name="Seed">Seed.</param>
/// <param name="Weights">Weights to go on with, or null for a new model.</param>
/// <param name="Run">What the run is, for the configuration in its checkpoints.</param>
/// <param name="Folder">Where the run keeps its files.</param>
/// <param name="Log">Takes notes and warnings.</param>
internal sealed record TrainJob(ParseResult Parsed, Device Device, TrainingData Data, ISchedule Schedule, double Rate, double ClipNorm, ulong Seed, IWeightSource? Weights, JsonObject Run, RunFolder Folder, TrainingLog Log)
{
    /// <summary>Whether it trains on the synthetic world, which has defaults of its own.</summary>
    public bool IsShapes => Data.Train.Name == PictureDatasets.Shapes;

    /// <summary>The file that it goes on from; none of a new model.</summary>
    public Checkpoint? Checkpoint { get; init; }

    /// <summary>Whether that file is the run's own, and not where it branches off.</summary>
    public bool IsOwn { get; init; }

    /// <summary>The vocabulary that is stored with the weights, if one is.</summary>
    public string? Vocabulary { get; init; }
}
