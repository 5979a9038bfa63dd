using System.CommandLine;
using System.Text.Json.Nodes;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Tensors.Nn;
using ClipGen.Training;
using ClipGen.Training.Clip;

namespace ClipGen.Cli.Commands.Train;

/// <summary><c>train clip</c>: pictures and sentences in one space.</summary>
internal sealed class TrainClipCommand(TextWriter output, TextWriter error) : TrainCommand(output, error)
{
    // Sentences of a picture whose words are counted: COCO has five. Where there are fewer, they count more than once, and the order of the words is the same.
    private const int VariantsRead = 5;

    private readonly Option<int> embedding = new("--embedding") { Description = "Width of the shared space", DefaultValueFactory = _ => ShapesModels.Clip.EmbeddingSize };
    private readonly Option<int> patch = new("--patch") { Description = "Side of a patch in pixels", DefaultValueFactory = _ => ShapesModels.Clip.PatchSize };
    private readonly Option<int> visionWidth = new("--vision-width") { Description = "Channels of the vision tower", DefaultValueFactory = _ => ShapesModels.Clip.VisionWidth };
    private readonly Option<int> visionLayers = new("--vision-layers") { Description = "Blocks of the vision tower", DefaultValueFactory = _ => ShapesModels.Clip.VisionLayers };
    private readonly Option<int> textWidth = new("--text-width") { Description = "Channels of the text tower", DefaultValueFactory = _ => ShapesModels.Clip.TextWidth };
    private readonly Option<int> textLayers = new("--text-layers") { Description = "Blocks of the text tower", DefaultValueFactory = _ => ShapesModels.Clip.TextLayers };
    private readonly Option<int> words = new("--words") { Description = "Words of the vocabulary at most, the most frequent ones of the sentences", DefaultValueFactory = _ => 8192 };
    private readonly Option<int?> context = new("--context") { Description = "Words of a sentence at most, and two more for its begin and end" };
    private readonly Option<double> decay = new("--weight-decay") { Description = "Decay of all matrices", DefaultValueFactory = _ => 0.05 };
    private readonly Option<double> maxScale = new("--max-scale") { Description = "Largest factor on the similarities of a batch: a small one drives embeddings further apart", DefaultValueFactory = _ => 100 };

    private readonly Option<int> hardNegatives = HardNegatives(ShapesLesson.Usual.Family);

    private readonly Option<double> arranged = new("--arranged")
    {
        Description = "Share of the groups of two objects whose scenes are the same two in every arrangement: what teaches it relations",
        DefaultValueFactory = _ => ShapesLesson.Usual.Arranged,
    };

    private readonly Option<bool> oneTelling = new("--one-telling") { Description = "Tell of two objects of --ds shapes in one way only, the upper one above the lower or the left one left of the right: a first lesson in relations" };
    private readonly Option<double> partial = new("--partial") { Description = "Share of the sentences about two objects of --ds shapes that tell of one of them only: what makes its embeddings easy to read for a GPT" };

    protected override string Kind => "clip";

    protected override IEnumerable<Option> OwnOptions => [embedding, patch, visionWidth, visionLayers, textWidth, textLayers, words, context, decay, maxScale, hardNegatives, arranged, oneTelling, partial];

    protected override IReadOnlyList<Option> SizeOptions => [embedding, patch, visionWidth, visionLayers, textWidth, textLayers, words, context];

    protected override IReadOnlyList<Option> ShapesOptions => [hardNegatives, arranged, oneTelling, partial];

    protected override bool NeedsCaptions => true;

    public override Command Create() => Create(
        "Trains a CLIP model on captioned pictures, with a vocabulary of the captions' own words.",
        "clipgen train clip --ds shapes --epochs 3",
        "clipgen train clip --ds photos/ --size 128 --patch 16 --out output/clip/mine");

    protected override ShapesLesson Lesson(ParseResult parsed) =>
        new(GroupSize(parsed, hardNegatives), Share(arranged.Name, Noted(parsed, arranged), maybeAll: true), Noted(parsed, oneTelling), Share(partial.Name, Noted(parsed, partial), maybeAll: true));

    protected override IEnumerable<(string Key, JsonNode Value)> RunParts(ParseResult parsed) => [("hard-negatives", parsed.GetValue(hardNegatives)), ("arranged", parsed.GetValue(arranged)), ("one-telling", parsed.GetValue(oneTelling)), ("partial", parsed.GetValue(partial))];

    protected override TrainDefaults Defaults(ParseResult parsed, bool shapes) => new(128, 6, _ => 1e-3, "cosine", 0.2, 1);

    protected override ITrainer Build(TrainJob job)
    {
        var parsed = job.Parsed;
        var tokenizer = Tokenizer(job);
        var scale = Noted(parsed, maxScale);
        if (!(scale >= 1 && double.IsFinite(scale))) throw new UsageException($"--max-scale {scale}: expected a number of at least 1");
        var recipe = new ClipRecipe { LearningRate = job.Rate, WeightDecay = Noted(parsed, decay), ClipNorm = job.ClipNorm, LargestScale = scale };
        ClipModel? model = null;
        try
        {
            IReadOnlyDictionary<string, int> sizes = new Dictionary<string, int>();
            if (job.Weights is { } weights)
            {
                model = ClipModel.Load(job.Device, weights, null, WeightForm.Trainable);
                sizes = Heads(model.Config.VisionHeads, model.Config.TextHeads);
            }
            else
            {
                var side = job.Data.Side;
                var pixels = Noted(parsed, patch);
                if (pixels < 1 || side % pixels != 0) throw new UsageException($"--patch {pixels}: expected a divisor of the pictures' {side} pixels (--size)");
                var (vision, text) = (Width("--vision-width", Noted(parsed, visionWidth)), Width("--text-width", Noted(parsed, textWidth)));
                var config = new ClipConfig
                {
                    EmbeddingSize = Noted(parsed, embedding),
                    PatchSize = pixels,
                    Patches = side / pixels * (side / pixels),
                    VisionWidth = vision,
                    VisionLayers = Noted(parsed, visionLayers),
                    VisionHeads = vision / 32,
                    ContextLength = Noted(parsed, context, job.IsShapes ? ShapeCaptions.ContextLength : 32),
                    VocabularySize = tokenizer.VocabularySize,
                    TextWidth = text,
                    TextLayers = Noted(parsed, textLayers),
                    TextHeads = text / 32,
                };
                if (config.ContextLength < 3) throw new UsageException($"--context {config.ContextLength}: expected 3 or more");
                if (config.EmbeddingSize < 1 || config.VisionLayers < 1 || config.TextLayers < 1) throw new UsageException("--embedding, --vision-layers, --text-layers: expected 1 or more");
                sizes = Heads(config.VisionHeads, config.TextHeads);
                model = ClipModel.Load(job.Device, new InitialWeights(ModelKind.Clip, StateDicts.Clip(config), job.Seed, sizes), null, WeightForm.Trainable);
            }
            return new ClipTrainer(job.Device, model, recipe, new ClipTrainerOptions { Schedule = job.Schedule }, job.Data, tokenizer, job.Seed, Configuration(job, sizes), tokenizer.Vocabulary);
        }
        catch
        {
            model?.Dispose();
            throw;
        }
    }

    /// <summary>The vocabulary that the model was begun with; of a new one, the words of the synthetic world's grammar, or of the sentences.</summary>
    private WordTokenizer Tokenizer(TrainJob job)
    {
        if (job.Vocabulary is { } known) return WordTokenizer.Parse(known);
        if (job.IsShapes) return new WordTokenizer(ShapeCaptions.Words);
        var most = Noted(job.Parsed, words);
        if (most < 1) throw new UsageException($"--words {most}: expected 1 or more");
        var captions = (ICaptionedDataset)job.Data.Train;
        return WordTokenizer.Of(from n in Enumerable.Range(0, checked((int)captions.Count)) from variant in Enumerable.Range(0, VariantsRead) select captions.Caption(n, (ulong)variant), most);
    }

    private static Dictionary<string, int> Heads(int vision, int text) => new() { ["vision_heads"] = vision, ["text_heads"] = text };

    private static int Width(string option, int value) => value >= 32 && value % 32 == 0 ? value : throw new UsageException($"{option} {value}: expected a multiple of 32, the width of a head");
}
