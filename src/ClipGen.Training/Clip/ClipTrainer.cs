using System.Globalization;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Models.Clip;
using ClipGen.Tensors;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Clip;

/// <summary>How a CLIP model is trained, beside its <see cref="ClipRecipe"/>.</summary>
public sealed record ClipTrainerOptions
{
    /// <summary>Learning rate over the run.</summary>
    public required ISchedule Schedule { get; init; }

    /// <summary>Pictures of a validation at most.</summary>
    public long ValidationPictures { get; init; } = 2048;
}

/// <summary><c>train clip</c>: pictures and sentences about them.</summary>
public sealed class ClipTrainer : ITrainer
{
    private readonly Device device;
    private readonly ClipModel model;
    private readonly ClipTraining training;
    private readonly ClipTrainerOptions options;
    private readonly TrainingData data;
    private readonly ITextTokenizer tokenizer;
    private readonly ICaptionedDataset captions;

    /// <summary>Training of a model; it owns the model and the data and frees them.</summary>
    /// <param name="device">Where.</param>
    /// <param name="model">Loaded as trainable.</param>
    /// <param name="recipe">Constants.</param>
    /// <param name="options">The rest.</param>
    /// <param name="data">Batches of a captioned dataset.</param>
    /// <param name="tokenizer">Turns captions into ids of the model's vocabulary.</param>
    /// <param name="seed">Seed of everything random.</param>
    /// <param name="configuration">The run's configuration, for its checkpoints.</param>
    /// <param name="vocabulary">The vocabulary to be stored with the model, or null for CLIP's own.</param>
    /// <exception cref="DataException">The dataset has no captions, or the sizes do not fit.</exception>
    public ClipTrainer(Device device, ClipModel model, ClipRecipe recipe, ClipTrainerOptions options, TrainingData data, ITextTokenizer tokenizer, ulong seed, string configuration, string? vocabulary)
    {
        (this.device, this.model, this.options, this.data, this.tokenizer) = (device, model, options, data, tokenizer);
        captions = data.Train as ICaptionedDataset ?? throw new DataException($"{data.Train.Name}: CLIP learns from pictures with sentences, and this dataset has none");
        if (tokenizer.VocabularySize != model.Config.VocabularySize) throw new DataException($"this CLIP model knows {model.Config.VocabularySize} token ids, the vocabulary has {tokenizer.VocabularySize}; resume with the data that it was begun with");
        if (model.Config.ImageSize != data.Side) throw new DataException($"this CLIP model takes pictures of {model.Config.ImageSize} pixels; give --size {model.Config.ImageSize}");
        training = new ClipTraining(model, recipe);
        State = new TrainingState
        {
            Kind = "clip",
            Parameters = model.Parameters,
            Optimizers = [("optimizer", training.Optimizer)],
            ScoreKey = "val_loss",
            Configuration = configuration,
            Vocabulary = vocabulary,
            Seed = seed,
        };
    }

    /// <inheritdoc/>
    public string Model
    {
        get
        {
            var c = model.Config;
            return string.Create(CultureInfo.InvariantCulture, $"CLIP, pictures of {c.ImageSize} in patches of {c.PatchSize}: {c.VisionLayers} layers of {c.VisionWidth}; texts of {c.ContextLength}: {c.TextLayers} layers of {c.TextWidth}; embeddings of {c.EmbeddingSize}, {State.Parameters.Sum(p => p.Value.Count):N0} parameters");
        }
    }

    /// <inheritdoc/>
    public TrainingState State { get; }

    /// <inheritdoc/>
    public int BatchSize => data.Batch;

    /// <inheritdoc/>
    public long StepsPerEpoch => data.BatchesPerEpoch;

    /// <inheritdoc/>
    public IReadOnlyList<string> StepMetrics { get; } = ["loss", "accuracy", "scale", "norm", "lr"];

    /// <inheritdoc/>
    public IReadOnlyList<string> EpochMetrics { get; } = [];

    /// <inheritdoc/>
    public IReadOnlyList<string> ValidationMetrics { get; } = ["val_loss", "accuracy"];

    /// <inheritdoc/>
    public IReadOnlyList<MemoryPart> Memory
    {
        get
        {
            var c = model.Config;
            var weights = 4 * State.Parameters.Sum(p => p.Value.Count);
            var activations = 4L * data.Batch * 24 * ((long)(c.Patches + 1) * c.VisionWidth * c.VisionLayers + (long)c.ContextLength * c.TextWidth * c.TextLayers);
            return [new("weights", weights), new("gradients", weights), new("optimiser", 2 * weights), new("activations", activations)];
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Step(long epoch, long step, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var rate = training.Optimizer.LearningRate = options.Schedule.At(epoch + (double)step / StepsPerEpoch);
        var batch = data.At(epoch, step, cancellation);
        var losses = training.Step(Pictures(batch), Tokens(batch, captions));
        return new Dictionary<string, double> { ["loss"] = losses.Total, ["accuracy"] = losses.Accuracy, ["scale"] = losses.Scale, ["norm"] = losses.Norm, ["lr"] = rate };
    }

    /// <inheritdoc/>
    public void FindNonFinite(long epoch, long step, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var batch = data.At(epoch, step, cancellation);
        training.Gradients(Pictures(batch), Tokens(batch, captions), findNonFinite: true);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> EndEpoch(long epoch, Action<string> warn) => new Dictionary<string, double>();

    /// <summary>Loss and accuracy in batches of the training's size; a last batch that is smaller would be easier and is left out.</summary>
    public IReadOnlyDictionary<string, double> Validate(CancellationToken cancellation)
    {
        double loss = 0, accuracy = 0;
        var batches = 0;
        foreach (var batch in data.ValidationBatches(options.ValidationPictures, cancellation))
        {
            if (batch.Pictures.Length < data.Batch && batches > 0) continue;
            using var scope = new TensorScope();
            var measured = training.Evaluate(Pictures(batch), Tokens(batch, (ICaptionedDataset)data.Validation));
            loss += measured.Loss;
            accuracy += measured.Accuracy;
            batches++;
        }
        return new Dictionary<string, double> { ["val_loss"] = loss / batches, ["accuracy"] = accuracy / batches };
    }

    /// <inheritdoc/>
    public IReadOnlyList<(string Tag, Picture Grid)> Preview(CancellationToken cancellation) => [];

    /// <inheritdoc/>
    public void Dispose()
    {
        training.Dispose();
        data.Dispose();
        model.Dispose();
    }

    private Tensor Pictures(PictureBatch batch) => device.From(batch.ToClip(data.Side), new Shape(batch.Pictures.Length, data.Side, data.Side, 3));

    private List<int[]> Tokens(PictureBatch batch, ICaptionedDataset dataset) => [.. batch.Captions(dataset).Select(caption => tokenizer.Tokenize(caption, model.Config.ContextLength).Ids)];
}
