using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ClipGen.Models;
using ClipGen.Models.Lpips;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors.Nn;
using ClipGen.Training;
using ClipGen.Training.VqGan;

namespace ClipGen.Cli.Commands.Train;

/// <summary><c>train vqgan</c>: pictures to codes and back, from pictures alone.</summary>
internal sealed class TrainVqGanCommand(TextWriter output, TextWriter error) : TrainCommand(output, error)
{
    private readonly Option<string?> lpips = new("--lpips-ckpt", "--lpips_ckpt") { Description = "VGG16 LPIPS weights; by default pretrained/vgg16_lpips.pt" };
    private readonly Option<double?> perceptual = new("--perceptual-weight") { Description = "Weight of the perceptual loss; 0 does without LPIPS. By default 1, or 0 for --ds shapes" };
    private readonly Option<double?> squared = new("--mse-weight") { Description = "Weight of the mean squared error beside L1" };
    private readonly Option<string?> discStart = new("--disc-start") { Description = "When the discriminator takes part: an epoch (1), a step (5000steps), or never" };
    private readonly Option<double> adversarial = new("--disc-weight") { Description = "Factor of the adversarial loss beside its adaptive weight", DefaultValueFactory = _ => 0.8 };
    private readonly Option<double> beta = new("--codebook-beta") { Description = "Weight of the codebook's term in the quantiser's loss", DefaultValueFactory = _ => 0.2 };
    private readonly Option<int> accumulate = new("--accumulate") { Description = "Batches whose gradients are averaged into a step", DefaultValueFactory = _ => 1 };
    private readonly Option<long?> quantizeFrom = new("--quantize-from") { Description = "Step from which latents become codes; encoder and decoder learn without them before" };
    private readonly Option<int?> restart = new("--restart-codes") { Description = "Give codes that nothing chose a new place every so many steps; 0 for never" };
    private readonly Option<long?> restartUntil = new("--restart-until") { Description = "Step of the run after which codes keep their places; 0 for no end" };
    private readonly Option<bool> freeze = new("--freeze-encoder") { Description = "Train the decoder alone: encoder and codebook stay as they are, and a GPT that was trained on their codes stays right" };
    private readonly Option<int?> channels = new("--channels") { Description = "Channels of the outermost level" };
    private readonly Option<string?> multipliers = new("--multipliers") { Description = "Factors on the channels per level, outermost first: 1,1,2,2,4" };
    private readonly Option<string?> blocks = new("--blocks") { Description = "Residual blocks per level: one number, or one for each level" };
    private readonly Option<string?> attention = new("--attention-levels") { Description = "Levels with attention, counted from 0, or none" };
    private readonly Option<int?> codes = new("--codes") { Description = "Entries of the codebook" };
    private readonly Option<int?> codeSize = new("--code-size") { Description = "Channels of a code" };
    private readonly Option<int?> groups = new("--groups") { Description = "Groups of the group norms" };
    private readonly Option<double?> filterGain = new("--init-gain") { Description = "Factor on a new model's filters: 1 as in PyTorch, 2.45 keeps the size of signals from layer to layer" };
    private readonly Option<int?> discChannels = new("--disc-channels") { Description = "Channels of the discriminator's first layer" };

    protected override string Kind => "vqgan";

    protected override IEnumerable<Option> OwnOptions => [lpips, perceptual, squared, discStart, adversarial, beta, accumulate, quantizeFrom, restart, restartUntil, freeze, channels, multipliers, blocks, attention, codes, codeSize, groups, filterGain, discChannels];

    protected override IReadOnlyList<Option> SizeOptions => [channels, multipliers, blocks, attention, codes, codeSize, groups, filterGain, discChannels];

    protected override IEnumerable<(string Key, JsonNode Value)> RunParts(ParseResult parsed) => [("accumulate", parsed.GetValue(accumulate))];

    public override Command Create() => Create(
        "Trains a VQ-GAN on pictures alone. Its sizes are the released model's, or small ones for --ds shapes; a run that was stopped goes on with the same command.",
        "clipgen train vqgan --ds shapes --epochs 3",
        "clipgen train vqgan --ds photos/ --bs 2 --out output/mine");

    protected override TrainDefaults Defaults(ParseResult parsed, bool shapes) => shapes
        ? new TrainDefaults(8, 1, _ => 1.5e-3, "cosine", 0.05, 1)
        : new TrainDefaults(2, 800, batch => 4.5e-6 * batch, "constant", 0, 1);

    protected override ITrainer Build(TrainJob job)
    {
        var parsed = job.Parsed;
        var shapes = job.IsShapes;
        var perceptualWeight = Noted(parsed, perceptual, shapes ? 0 : 1);
        if (perceptualWeight == 0 && parsed.GetResult(lpips) is { Implicit: false }) throw new UsageException("--lpips-ckpt: has no effect without --perceptual-weight");
        LpipsModel? distance = null;
        VqGanModel? model = null;
        try
        {
            if (perceptualWeight != 0)
            {
                using var source = CheckpointWeights.Open(KnownFiles.Frozen("--lpips-ckpt (or give --perceptual-weight 0)", parsed.GetValue(lpips), "vgg16_lpips.pt"), ModelKind.Lpips);
                distance = LpipsModel.Load(job.Device, source, WeightForm.Plain);
            }
            var (start, startStep) = DiscriminatorStart(Noted(parsed, discStart, shapes ? "never" : "1"));
            var frozen = Noted(parsed, freeze);
            if (frozen && job.Weights is null) throw new UsageException("--freeze-encoder: needs a trained model; give its checkpoint with --resume");
            var recipe = new VqGanRecipe
            {
                LearningRate = job.Rate,
                Beta1 = shapes ? 0.9 : 0.5,
                Beta2 = shapes ? 0.99 : 0.9,
                PerceptualWeight = (float)perceptualWeight,
                SquaredWeight = (float)Noted(parsed, squared, shapes ? 10 : 0),
                AdversarialWeight = (float)Noted(parsed, adversarial),
                CodebookBeta = (float)Noted(parsed, beta),
                ClipNorm = job.ClipNorm,
                Discriminates = double.IsFinite(start),
                FreezeEncoder = frozen,
            };
            var options = new VqGanTrainerOptions
            {
                Schedule = job.Schedule,
                DiscriminatorStartEpoch = start,
                DiscriminatorStartStep = startStep,
                Accumulate = Noted(parsed, accumulate) is >= 1 and var parts ? parts : throw new UsageException("--accumulate: expected 1 or more"),
                RestartEvery = Noted(parsed, restart, shapes && !frozen ? 50 : 0) is >= 0 and var every ? every : throw new UsageException("--restart-codes: expected 0 (never) or more"),
                RestartUntil = Noted(parsed, restartUntil, shapes ? 5000 : 0),
                QuantizeFrom = Noted(parsed, quantizeFrom, shapes && !frozen ? 300 : 0) is >= 0 and var first ? first : throw new UsageException("--quantize-from: expected a step, 0 for the first"),
            };
            if (frozen && options.RestartEvery > 0) throw new UsageException("--restart-codes: moves codes, which --freeze-encoder keeps in their places; give one of them");
            if (options.QuantizeFrom > 0 && options.RestartEvery == 0) throw new UsageException("--quantize-from: needs --restart-codes, which lays the codes onto latents before");
            IReadOnlyDictionary<string, int> sizes;
            if (job.Weights is { } weights)
            {
                var kept = new Dictionary<string, int> { ["groups"] = weights.Option("groups") ?? 32 };
                if (weights.Option(GroupNorm.EpsOption) is { } eps) kept[GroupNorm.EpsOption] = eps;
                sizes = kept;
                // --weights-only leaves it out: what is generated does not need it.
                if (weights.ShapeOf(VqGanModel.DiscriminatorMark) is null)
                {
                    // A file may say anything: a size that no discriminator has is not allocated.
                    var width = SizeBefore(job, discChannels) is { } before and <= 1024 ? before : (shapes ? ShapesModels.VqGan : new VqGanConfig()).DiscriminatorChannels;
                    if (double.IsFinite(start)) job.Log.Warn($"{weights.Name} has no discriminator; a new one begins");
                    weights = new JoinedWeights(weights, new InitialWeights(ModelKind.VqGan, StateDicts.Discriminator(width), job.Seed));
                }
                model = VqGanModel.Load(job.Device, weights, WeightForm.Trainable);
            }
            else
            {
                var (config, count) = Sizes(parsed, shapes);
                var gain = Noted(parsed, filterGain, shapes ? 2.45 : 1);
                if (!(gain > 0) || !double.IsFinite(gain)) throw new UsageException($"--init-gain {gain}: expected a positive number");
                sizes = new Dictionary<string, int> { ["groups"] = count };
                model = VqGanModel.Load(job.Device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config), job.Seed, sizes) { FilterGain = gain }, WeightForm.Trainable);
            }
            return new VqGanTrainer(job.Device, model, distance, recipe, options, job.Data, job.Seed, Configuration(job, sizes));
        }
        catch
        {
            model?.Dispose();
            distance?.Dispose();
            throw;
        }
    }

    private (VqGanConfig Config, int Groups) Sizes(ParseResult parsed, bool shapes)
    {
        var usual = shapes ? ShapesModels.VqGan : new VqGanConfig();
        var levels = Integers("--multipliers", Noted(parsed, multipliers, string.Join(',', usual.Multipliers)));
        var attentive = Noted(parsed, attention, usual.AttentionLevels.Count == 0 ? "none" : string.Join(',', usual.AttentionLevels));
        var config = new VqGanConfig
        {
            Channels = Noted(parsed, channels, usual.Channels),
            Multipliers = levels,
            ResidualBlocks = Integers("--blocks", Noted(parsed, blocks, string.Join(',', usual.ResidualBlocks))),
            AttentionLevels = attentive == "none" ? [] : Integers("--attention-levels", attentive),
            Codes = Noted(parsed, codes, usual.Codes),
            CodeSize = Noted(parsed, codeSize, usual.CodeSize),
            DiscriminatorChannels = Noted(parsed, discChannels, usual.DiscriminatorChannels),
        };
        var count = Noted(parsed, groups, shapes ? ShapesModels.VqGanGroups : 32);
        foreach (var (option, value) in new[] { ("--channels", config.Channels), ("--codes", config.Codes), ("--code-size", config.CodeSize), ("--disc-channels", config.DiscriminatorChannels), ("--groups", count) })
            if (value is < 1 or > 1 << 20) throw new UsageException($"{option} {value}: expected 1 or more");
        if (config.Channels % count != 0) throw new UsageException($"--channels {config.Channels}: expected a multiple of the {count} groups of a group norm (--groups)");
        if (config.ResidualBlocks.Count != 1 && config.ResidualBlocks.Count != levels.Length) throw new UsageException($"--blocks: expected one number, or one for each of the {levels.Length} levels");
        if (config.ResidualBlocks.Any(number => number > 64)) throw new UsageException("--blocks: expected at most 64 per level");
        if (levels.Any(level => level is < 1 or > 64)) throw new UsageException("--multipliers: expected factors from 1 to 64");
        if (config.AttentionLevels.Any(level => level < 0 || level >= levels.Length)) throw new UsageException($"--attention-levels {attentive}: the levels are 0 to {levels.Length - 1}");
        return (config, count);
    }

    private static (double Epoch, long Step) DiscriminatorStart(string text)
    {
        if (text == "never") return (double.PositiveInfinity, -1);
        var steps = text.EndsWith("steps", StringComparison.Ordinal);
        if (steps && long.TryParse(text[..^5], NumberStyles.None, CultureInfo.InvariantCulture, out var step)) return (0, step);
        if (!steps && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var epoch)) return (epoch, -1);
        throw new UsageException($"--disc-start {text}: expected an epoch (1, 0.5), a step (5000steps), or never");
    }

    private static int[] Integers(string option, string text)
    {
        var parts = text.Split(',', StringSplitOptions.TrimEntries);
        return [.. parts.Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : throw new UsageException($"{option} {text}: expected whole numbers with commas between them"))];
    }
}
