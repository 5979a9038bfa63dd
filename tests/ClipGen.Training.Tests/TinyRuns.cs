using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Clip;
using ClipGen.Training.Control;
using ClipGen.Training.Gpt;
using ClipGen.Training.Reporting;
using ClipGen.Training.VqGan;

namespace ClipGen.Training.Tests;

/// <summary>What a tiny run differs in.</summary>
internal sealed record TinyOptions
{
    public bool Overfit { get; init; }
    public int Batches { get; init; } = 10;
    public int Accumulate { get; init; } = 2;
    public double Rate { get; init; } = 2e-3;
    public long DiscriminatorStart { get; init; } = 4;
    public int Codes { get; init; } = 32;
    public float ClipWeight { get; init; }
    public float Dropout { get; init; } = 0.1f;
    public float Noise { get; init; } = 0.3f;
    public int RestartEvery { get; init; } = 3;
    public long QuantizeFrom { get; init; } = 2;
    public bool Discriminates { get; init; } = true;
    public bool FreezeEncoder { get; init; }
    public ISchedule? Schedule { get; init; }
    public Action<string> Warn { get; init; } = _ => { };
}

/// <summary>
/// The three trainers at sizes that take milliseconds a step, with everything on that a resumed run could lose: dropout, noise on the condition, averaged batches, restarted codes, codes and a
/// discriminator that begin in the middle. An epoch has ten batches, and five steps of two.
/// </summary>
internal static class TinyRuns
{
    public const ulong Seed = 5;

    public static TheoryData<string> Kinds => ["vqgan", "gpt", "clip"];

    public static ITrainer New(string kind, Device device, IWeightSource? weights = null, TinyOptions? options = null) => kind switch
    {
        "vqgan" => VqGan(device, weights, options ?? new()),
        "gpt" => Gpt(device, weights, options ?? new()),
        _ => Clip(device, weights, options ?? new()),
    };

    /// <summary>A trainer at the place in the run where a checkpoint of it stands.</summary>
    public static ITrainer Resumed(string kind, Device device, string path, TinyOptions? options = null)
    {
        using var checkpoint = Checkpoint.Open(path);
        using var weights = CheckpointWeights.Open(path, kind switch { "vqgan" => ModelKind.VqGan, "gpt" => ModelKind.Gpt, _ => ModelKind.Clip });
        var trainer = New(kind, device, weights, options);
        Assert.Empty(TrainingCheckpoint.Restore(checkpoint, trainer.State));
        return trainer;
    }

    /// <summary>Runs until so many steps of the whole run, with a row of metrics for every step.</summary>
    public static TrainingResult Run(ITrainer trainer, RunFolder folder, bool resumed, long maxSteps, int epochs = 3, string saveEvery = "1h", TextWriter? log = null, int logEvery = 1, TrainingSignals? signals = null)
    {
        using var own = signals is null ? new TrainingSignals() : null;
        var options = new TrainingLoopOptions { Epochs = epochs, MaxSteps = maxSteps, LogEvery = logEvery, SaveEvery = SaveSchedule.Parse(saveEvery) };
        return new TrainingLoop(trainer, folder, Samples.Run(), options, new TrainingLog(log ?? TextWriter.Null), (signals ?? own)!).Run(1L << 30, resumed, TestContext.Current.CancellationToken);
    }

    /// <summary>Every tensor bit by bit and every number of two checkpoints.</summary>
    public static void AssertSame(string expected, string found)
    {
        using Checkpoint a = Checkpoint.Open(expected), b = Checkpoint.Open(found);
        Assert.Equal(a.Tensors.Select(tensor => tensor.ToString()), b.Tensors.Select(tensor => tensor.ToString()));
        foreach (var (one, other) in a.Tensors.Zip(b.Tensors)) Assert.True(Bytes(one).AsSpan().SequenceEqual(Bytes(other)), $"{one} differs between {expected} and {found}");
        Assert.Equal(a.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal), b.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal));
    }

    public static byte[] Bytes(CheckpointTensor tensor)
    {
        var bytes = new byte[tensor.Count * tensor.Type.ByteSize()];
        tensor.ReadBytes(0, bytes);
        return bytes;
    }

    private static TrainingData Data(int side, int batch, TinyOptions options) =>
        new(new ShapesDataset(Seed, ShapesSplit.Train, options.Batches * batch).Split(0.2), side, batch, Seed, options.Overfit, options.Warn);

    private static VqGanTrainer VqGan(Device device, IWeightSource? weights, TinyOptions options)
    {
        var config = new VqGanConfig { Channels = 8, Multipliers = [1, 2], ResidualBlocks = [1], AttentionLevels = [1], Codes = options.Codes, CodeSize = 8, DiscriminatorChannels = 4 };
        var groups = new Dictionary<string, int> { ["groups"] = 4 };
        var model = VqGanModel.Load(device, weights ?? new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config), Seed, groups), WeightForm.Trainable);
        var recipe = new VqGanRecipe { LearningRate = options.Rate, PerceptualWeight = 0, SquaredWeight = 0.5f, ClipNorm = 10, Discriminates = options.Discriminates, FreezeEncoder = options.FreezeEncoder };
        var rest = new VqGanTrainerOptions { Schedule = options.Schedule ?? new ConstantSchedule(options.Rate), DiscriminatorStartStep = options.DiscriminatorStart, Accumulate = options.Accumulate, RestartEvery = options.RestartEvery, QuantizeFrom = options.QuantizeFrom };
        return new VqGanTrainer(device, model, null, recipe, rest, Data(24, 2, options), Seed, """{"model":{"groups":4}}""");
    }

    private static GptTrainer Gpt(Device device, IWeightSource? weights, TinyOptions options)
    {
        var form = options.ClipWeight > 0 ? WeightForm.Plain : WeightForm.Packed;
        using var codec = CheckpointWeights.Open(RepositoryPaths.GoldenFile("vqgan", "vqgan_tiny.pt"), ModelKind.VqGan);
        using var embedder = CheckpointWeights.Open(RepositoryPaths.GoldenFile("clip", "clip_tiny.pt"), ModelKind.Clip);
        var (vqgan, clip) = (VqGanModel.Load(device, codec, form), ClipModel.Load(device, embedder, 2, form));
        var config = GptConfig.Medium with { Layers = 2, Width = 32, Heads = 2, Vocabulary = vqgan.Codes, BlockSize = 16, ConditionSize = clip.Config.EmbeddingSize };
        var heads = new Dictionary<string, int> { ["heads"] = 2 };
        var model = GptModel.Load(device, weights ?? new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), Seed, heads), null, WeightForm.Trainable);
        var recipe = new GptRecipe { LearningRate = options.Rate, Dropout = options.Dropout, ConditionNoise = options.Noise, ClipWeight = options.ClipWeight, ClipNorm = 10 };
        var rest = new GptTrainerOptions { Schedule = options.Schedule ?? new WarmupCosineSchedule(options.Rate, 1, 3), Accumulate = options.Accumulate, PreviewPictures = 2 };
        return new GptTrainer(device, model, vqgan, clip, recipe, rest, Data(16, 2, options), Seed, """{"model":{"heads":2}}""", _ => { });
    }

    private static ClipTrainer Clip(Device device, IWeightSource? weights, TinyOptions options)
    {
        var words = new WordTokenizer(ShapeCaptions.Words);
        var config = new ClipConfig
        {
            EmbeddingSize = 16,
            PatchSize = 16,
            Patches = 4,
            VisionWidth = 32,
            VisionLayers = 1,
            VisionHeads = 1,
            ContextLength = ShapeCaptions.ContextLength,
            VocabularySize = words.VocabularySize,
            TextWidth = 32,
            TextLayers = 1,
            TextHeads = 1,
        };
        var heads = new Dictionary<string, int> { ["vision_heads"] = 1, ["text_heads"] = 1 };
        var model = ClipModel.Load(device, weights ?? new InitialWeights(ModelKind.Clip, StateDicts.Clip(config), Seed, heads), null, WeightForm.Trainable);
        return new ClipTrainer(device, model, new ClipRecipe { LearningRate = options.Rate, ClipNorm = 10 }, new ClipTrainerOptions { Schedule = options.Schedule ?? new WarmupCosineSchedule(options.Rate, 1, 3) },
            Data(32, 8, options with { Batches = options.Batches / 2 }), words, Seed, """{"model":{"vision_heads":1,"text_heads":1}}""", words.Vocabulary);
    }
}
