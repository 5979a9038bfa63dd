using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors.Nn;
using ClipGen.Training;
using ClipGen.Training.Gpt;

namespace ClipGen.Cli.Commands.Train;

/// <summary><c>train gpt</c>: CLIP embedding to codes, from pictures alone.</summary>
internal sealed class TrainGptCommand(TextWriter output, TextWriter error) : TrainCommand(output, error)
{
    // What --from-vqgan compares.
    private const int TransferPictures = 4096;

    private readonly Option<string?> vqgan = new("--vqgan-ckpt", "--vqgan_ckpt") { Description = "The VQ-GAN; by default pretrained/vqgan_coco.pt, or shapes-vqgan.safetensors for --ds shapes" };
    private readonly Option<string?> fromVqgan = new("--from-vqgan") { Description = "The VQ-GAN whose codes the GPT of --resume writes, where it is another one: its tables are carried over to the codes that stand at the same places" };
    private readonly Option<string?> clip = new("--clip-ckpt", "--clip_ckpt") { Description = "CLIP; by default pretrained/clip_vit_b32.pt, or shapes-clip.safetensors for --ds shapes" };
    private readonly Option<string?> gpt = new("--gpt") { Description = "gpt2_medium, gpt2_large, or LAYERSxWIDTHxHEADS such as 6x160x5" };
    private readonly Option<string?> init = new("--init") { Description = "First weights of a new GPT: plain, as PyTorch draws them, or grid: positions begin as those of a grid and codes as their vectors in the codebook" };
    private readonly Option<double?> dropout = new("--dropout") { Description = "Dropout" };
    private readonly Option<double> clipWeight = new("--clip-weight", "--clip_weight") { Description = "Weight of the CLIP loss on reconstructed samples" };
    private readonly Option<double> contrast = new("--contrast") { Description = "Weight of the contrastive loss: which of two embeddings a picture's codes belong to, its own or the most similar one of the batch. Takes twice as long" };
    private readonly Option<int> hardNegatives = HardNegatives(ShapesLesson.None.Family);
    private readonly Option<double?> noise = new("--cond-noise") { Description = "Noise on the CLIP embeddings, in units of their length: makes texts' embeddings, which lie beside the pictures', familiar" };
    private readonly Option<double?> conditionDrop = new("--cond-drop") { Description = "Share of the pictures whose CLIP embedding is left out, so that generate --guidance has something to lead away from" };
    private readonly Option<double> decay = new("--weight-decay") { Description = "Decay of the weights of linear layers", DefaultValueFactory = _ => 0.01 };
    private readonly Option<int> accumulate = new("--accumulate") { Description = "Batches whose gradients are averaged into a step", DefaultValueFactory = _ => 1 };
    private readonly Option<bool> cache = new("--cache-codes") { Description = "Encode every picture once (centre crop) at the start, instead of a random crop in every step" };
    private readonly Option<bool> recompute = new("--recompute") { Description = "Compute each block's activations again when its gradient is needed: less memory, a third more time" };
    private readonly Option<int> previews = new("--previews") { Description = "Pictures sampled at a validation; 0 for none", DefaultValueFactory = _ => 8 };

    protected override string Kind => "gpt";

    protected override IEnumerable<Option> OwnOptions => [vqgan, fromVqgan, clip, gpt, init, dropout, clipWeight, contrast, hardNegatives, noise, conditionDrop, decay, accumulate, cache, recompute, previews];

    protected override IReadOnlyList<Option> SizeOptions => [gpt, init];

    protected override IReadOnlyList<Option> ShapesOptions => [hardNegatives];

    protected override ShapesLesson Lesson(ParseResult parsed) => new(GroupSize(parsed, hardNegatives));

    protected override IEnumerable<(string Key, JsonNode Value)> RunParts(ParseResult parsed) => [("accumulate", parsed.GetValue(accumulate)), ("hard-negatives", parsed.GetValue(hardNegatives))];

    public override Command Create() => Create(
        "Trains a GPT to write a picture's codes from its CLIP embedding. It sees pictures alone: no caption.",
        "clipgen train gpt --ds shapes --vqgan-ckpt output/vqgan/shapes/best.pt --clip-ckpt output/clip/shapes/best.pt",
        "clipgen train gpt --ds photos/ --bs 2 --vqgan_ckpt vqgan.pt --gpt gpt2_medium --dropout 0.1");

    protected override TrainDefaults Defaults(ParseResult parsed, bool shapes) => shapes
        ? new TrainDefaults(16, 3, _ => 2e-3, "cosine", 0.1, 1)
        : new TrainDefaults(2, 200, batch => 5e-4 / 256 * batch, "cosine", 20, 10);

    protected override ITrainer Build(TrainJob job)
    {
        var parsed = job.Parsed;
        var shapes = job.IsShapes;
        if (parsed.GetValue(fromVqgan) is not null && job.Weights is null) throw new UsageException("--from-vqgan: needs a trained GPT; give its checkpoint with --resume");
        var weight = Weight(clipWeight);
        var drop = (float)Share("--dropout", Noted(parsed, dropout, shapes ? 0 : 0.1), maybeAll: false);
        var unconditional = (float)Share("--cond-drop", Noted(parsed, conditionDrop, 0), maybeAll: false);
        var recipe = new GptRecipe
        {
            LearningRate = job.Rate,
            Dropout = drop,
            ClipWeight = weight,
            ContrastWeight = Weight(contrast),
            ConditionNoise = (float)Noted(parsed, noise, shapes ? 0.3 : 0),
            ConditionDrop = unconditional,
            WeightDecay = Noted(parsed, decay),
            ClipNorm = job.ClipNorm,
            Recompute = Noted(parsed, recompute),
        };
        var codecFile = KnownFiles.Frozen("--vqgan-ckpt", parsed.GetValue(vqgan), shapes ? "shapes-vqgan.safetensors" : "vqgan_coco.pt");
        var embedderFile = KnownFiles.Frozen("--clip-ckpt", parsed.GetValue(clip), shapes ? "shapes-clip.safetensors" : "clip_vit_b32.pt");
        var cached = Noted(parsed, cache);
        var options = new GptTrainerOptions
        {
            Schedule = job.Schedule,
            Accumulate = Noted(parsed, accumulate) is >= 1 and var parts ? parts : throw new UsageException("--accumulate: expected 1 or more"),
            CacheCodes = cached,
            CachePath = cached ? job.Folder.EncodedPath : null,
            Encoders = cached ? $"{FileHash.Short(codecFile)} {FileHash.Short(embedderFile)}" : "",
            PreviewPictures = parsed.GetValue(previews) is >= 0 and var shown ? shown : throw new UsageException("--previews: expected 0 or more"),
        };
        VqGanModel? codec = null;
        ClipModel? embedder = null;
        GptModel? model = null;
        // Gradients flow through the frozen models only for the CLIP loss; without it they compute faster packed.
        var form = weight > 0 ? WeightForm.Plain : WeightForm.Packed;
        try
        {
            using (var source = CheckpointWeights.Open(codecFile, ModelKind.VqGan)) codec = VqGanModel.Load(job.Device, source, form);
            using (var source = CheckpointWeights.Open(embedderFile, ModelKind.Clip)) embedder = ClipModel.Load(job.Device, source, null, form);
            Dictionary<string, int> sizes = [];
            // An object of the synthetic world may begin anywhere and so nowhere with much probability.
            if (shapes || job.Weights?.Option(GptConfig.RareCodesOption) == 1) sizes[GptConfig.RareCodesOption] = 1;
            if (job.Weights is { } weights)
            {
                if (weights.Option("heads") is { } heads) sizes["heads"] = heads;
                // A run that goes on writes the new codes already.
                var from = job.IsOwn ? null : parsed.GetValue(fromVqgan);
                model = GptModel.Load(job.Device, from is null ? weights : Transferred(job, weights, from, codec), null, WeightForm.Trainable);
            }
            else
            {
                var grid = job.Data.Side / codec.Factor;
                var config = Sizes(Noted(parsed, gpt, shapes ? $"{ShapesModels.Gpt.Layers}x{ShapesModels.Gpt.Width}x{ShapesModels.Gpt.Heads}" : "gpt2_medium")) with { Vocabulary = codec.Codes, BlockSize = grid * grid, ConditionSize = embedder.Config.EmbeddingSize };
                if (grid < 2) throw new UsageException($"--size {job.Data.Side}: pictures have {grid} x {grid} codes, expected at least 2 x 2");
                sizes["heads"] = config.Heads;
                var drawn = new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), job.Seed, sizes);
                IWeightSource initial = Noted(parsed, init, shapes ? "grid" : "plain") switch
                {
                    "plain" => drawn,
                    "grid" => new PictureGptWeights(drawn, codec.Codebook.ToFloats(), codec.CodeSize, job.Seed),
                    var other => throw new UsageException($"--init {other}: expected plain or grid"),
                };
                model = GptModel.Load(job.Device, initial, null, WeightForm.Trainable);
            }
            // What a run once learned it still knows when it goes on without.
            if (unconditional > 0 || model.Config.Unconditional) sizes[GptConfig.UnconditionalOption] = 1;
            return new GptTrainer(job.Device, model, codec, embedder, recipe, options, job.Data, job.Seed, Configuration(job, sizes), job.Log.Note);
        }
        catch
        {
            model?.Dispose();
            codec?.Dispose();
            embedder?.Dispose();
            throw;
        }

        float Weight(Option<double> option) => Noted(parsed, option) is >= 0 and <= 1e6 and var value ? (float)value : throw new UsageException($"{option.Name} {parsed.GetValue(option)}: expected a number from 0 to 1e6");
    }

    /// <summary>The weights with their tables carried over to other codes.</summary>
    private static TransferredGptWeights Transferred(TrainJob job, IWeightSource weights, string path, VqGanModel codec)
    {
        if (job.Checkpoint?.FindInteger("epoch") is not null) throw new UsageException($"--from-vqgan: {job.Checkpoint.Path} holds an optimiser's state for the old codes; write the weights alone with clipgen convert --weights-only");
        using var source = CheckpointWeights.Open(path, ModelKind.VqGan);
        using var old = VqGanModel.Load(job.Device, source);
        var counts = CodeCorrespondence.Count(old, codec, job.Data, TransferPictures, CancellationToken.None);
        job.Log.Note(string.Create(CultureInfo.InvariantCulture, $"codes of {path} are carried over: {counts.Agreement:P0} of {counts.Total:N0} have the code that most often stands where the new one does"));
        return new TransferredGptWeights(weights, counts);
    }

    private static GptConfig Sizes(string text)
    {
        if (text == "gpt2_medium") return GptConfig.Medium;
        if (text == "gpt2_large") return GptConfig.Large;
        int[] numbers = [.. text.Split('x').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0)];
        if (numbers is not [> 0 and <= 1000, > 0 and <= 100000, > 0] || numbers[1] % numbers[2] != 0)
            throw new UsageException($"--gpt {text}: expected gpt2_medium, gpt2_large, or LAYERSxWIDTHxHEADS with a width that the heads divide");
        return GptConfig.Medium with { Layers = numbers[0], Width = numbers[1], Heads = numbers[2] };
    }
}
