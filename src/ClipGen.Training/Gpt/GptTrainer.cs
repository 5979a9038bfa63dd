using System.Diagnostics;
using System.Globalization;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Kernels;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Control;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Gpt;

/// <summary>How a GPT is trained, beside its <see cref="GptRecipe"/>.</summary>
public sealed record GptTrainerOptions
{
    /// <summary>Learning rate over the run.</summary>
    public required ISchedule Schedule { get; init; }

    /// <summary>Batches whose gradients are averaged into a step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Encode every picture once, as a centre crop, at the start, instead of a random crop in every step.</summary>
    public bool CacheCodes { get; init; }

    /// <summary>With <see cref="CacheCodes"/>: file that keeps the encoded pictures for a run that goes on, or null.</summary>
    public string? CachePath { get; init; }

    /// <summary>Tells the two models that encode from others, for the file.</summary>
    public string Encoders { get; init; } = "";

    /// <summary>Pictures of a validation at most.</summary>
    public long ValidationPictures { get; init; } = 5000;

    /// <summary>Pictures sampled for a preview; 0 for none.</summary>
    public int PreviewPictures { get; init; } = 8;
}

/// <summary><c>train gpt</c>: pictures become codes and CLIP embeddings through two frozen models, and the GPT learns the one from the other.</summary>
public sealed class GptTrainer : ITrainer
{
    // How often encoding all pictures says how far it is.
    private static readonly TimeSpan TellEvery = TimeSpan.FromSeconds(10);

    private readonly Device device;
    private readonly GptModel model;
    private readonly VqGanModel vqgan;
    private readonly ClipModel clip;
    private readonly GptTraining training;
    private readonly GptTrainerOptions options;
    private readonly TrainingData data;
    private readonly Action<string> note;
    private EncodedPictures? cache;

    /// <summary>Training of a model; it owns the models and the data and frees them.</summary>
    /// <param name="device">Where.</param>
    /// <param name="model">Loaded as trainable.</param>
    /// <param name="vqgan">Frozen; plain when the CLIP loss needs its gradients.</param>
    /// <param name="clip">Frozen; plain when the CLIP loss needs its gradients.</param>
    /// <param name="recipe">Constants of the losses.</param>
    /// <param name="options">The rest.</param>
    /// <param name="data">Batches.</param>
    /// <param name="seed">Seed of everything random.</param>
    /// <param name="configuration">The run's configuration, for its checkpoints.</param>
    /// <param name="note">Is told what takes a while.</param>
    /// <exception cref="DataException">The models do not fit each other or the pictures.</exception>
    public GptTrainer(Device device, GptModel model, VqGanModel vqgan, ClipModel clip, GptRecipe recipe, GptTrainerOptions options, TrainingData data, ulong seed, string configuration, Action<string> note)
    {
        (this.device, this.model, this.vqgan, this.clip, this.options, this.data, this.note) = (device, model, vqgan, clip, options, data, note);
        var c = model.Config;
        if (c.Vocabulary != vqgan.Codes) throw new DataException($"this GPT writes {c.Vocabulary} different codes, the VQ-GAN has {vqgan.Codes}; give files that belong together (--vqgan-ckpt)");
        if (c.ConditionSize != clip.Config.EmbeddingSize) throw new DataException($"this GPT takes embeddings of {c.ConditionSize} values, CLIP makes {clip.Config.EmbeddingSize}; give files that belong together (--clip-ckpt)");
        var grid = data.Side / vqgan.Factor;
        if (data.Side % vqgan.Factor != 0 || grid * grid != c.BlockSize) throw new DataException($"pictures of {data.Side} pixels have {grid} x {grid} codes, this GPT writes {c.BlockSize}; give another --size");
        StepsPerEpoch = data.StepsPerEpoch(options.Accumulate);
        training = new GptTraining(model, recipe, seed, vqgan, clip);
        State = new TrainingState
        {
            Kind = "gpt",
            Parameters = model.Parameters,
            Masks = [.. Enumerable.Range(0, c.Layers).Select(i => new ConstantMask($"blocks.{i}.mask", c.BlockSize, $"blocks.{i}.encoder.self_attn.in_proj_weight"))],
            Optimizers = [("optimizer", training.Optimizer)],
            ScoreKey = "val_loss",
            ScalerKey = "scaler",
            Configuration = configuration,
            Seed = seed,
        };
        if (recipe.ContrastWeight != 0 && data.Batch < 2) throw new DataException("the contrastive loss compares pictures of a batch, and there is one; give --bs 2 or more");
        string[] parts = [.. recipe.ClipWeight == 0 ? [] : new[] { "loss_clip" }, .. recipe.ContrastWeight == 0 ? [] : new[] { "loss_contrast" }];
        StepMetrics = ["loss", .. parts.Length == 0 ? [] : new[] { "loss_gpt" }, .. parts, "norm", "lr"];
    }

    /// <inheritdoc/>
    public string Model => string.Create(CultureInfo.InvariantCulture, $"GPT, {model.Config.Layers} layers of {model.Config.Width}, {model.Config.Heads} heads, {model.Config.BlockSize} codes out of {model.Config.Vocabulary:N0}, {State.Parameters.Sum(p => p.Value.Count):N0} parameters");

    /// <inheritdoc/>
    public TrainingState State { get; }

    /// <inheritdoc/>
    public int BatchSize => data.Batch * options.Accumulate;

    /// <inheritdoc/>
    public long StepsPerEpoch { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> StepMetrics { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> EpochMetrics { get; } = [];

    /// <inheritdoc/>
    public IReadOnlyList<string> ValidationMetrics { get; } = ["val_loss"];

    /// <inheritdoc/>
    public IReadOnlyList<MemoryPart> Memory
    {
        get
        {
            var c = model.Config;
            var weights = 4 * State.Parameters.Sum(p => p.Value.Count);
            // Kept per position and layer: two norms' inputs, qkv, attention's output, three of the feed-forward part's four widths and dropouts, about 24 widths.
            var perLayer = 4L * data.Batch * c.BlockSize * c.Width * (training.Recipe.Recompute ? 1 : 24);
            // With the contrastive loss, once more for the other embeddings.
            var passes = training.Recipe.ContrastWeight == 0 ? 1 : 2;
            return [new("weights", weights), new("gradients", weights), new("optimiser", 2 * weights), new("activations", passes * (perLayer * c.Layers + 12L * data.Batch * c.BlockSize * c.Vocabulary))];
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Step(long epoch, long step, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var rate = training.Optimizer.LearningRate = options.Schedule.At(epoch + (double)step / StepsPerEpoch);
        var batches = Enumerable.Range(0, options.Accumulate).Select(i => Encoded(epoch, step * options.Accumulate + i, cancellation)).ToArray();
        var losses = training.Step(epoch * StepsPerEpoch + step, batches);
        var values = new Dictionary<string, double> { ["loss"] = losses.Total };
        foreach (var (name, value) in (ReadOnlySpan<(string, double)>)[("loss_gpt", losses.CrossEntropy), ("loss_clip", losses.Clip), ("loss_contrast", losses.Contrast), ("norm", losses.Norm), ("lr", rate)])
            if (StepMetrics.Contains(name)) values[name] = value;
        return values;
    }

    /// <inheritdoc/>
    public void FindNonFinite(long epoch, long step, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var (codes, embeddings) = Encoded(epoch, step * options.Accumulate, cancellation);
        training.Gradients(codes, embeddings, epoch * StepsPerEpoch + step, findNonFinite: true);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> EndEpoch(long epoch, Action<string> warn) => new Dictionary<string, double>();

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Validate(CancellationToken cancellation)
    {
        double loss = 0;
        var pictures = 0;
        foreach (var batch in data.ValidationBatches(options.ValidationPictures, cancellation))
        {
            using var scope = new TensorScope();
            var (codes, embeddings) = Encode(batch);
            loss += batch.Pictures.Length * training.Evaluate(codes, embeddings);
            pictures += batch.Pictures.Length;
        }
        return new Dictionary<string, double> { ["val_loss"] = loss / pictures };
    }

    /// <summary>Above, pictures; below, what it paints from their embeddings: for pictures that it is trained on, and for others.</summary>
    public IReadOnlyList<(string Tag, Picture Grid)> Preview(CancellationToken cancellation) => options.PreviewPictures == 0 ? [] :
    [
        ("train/from-images", Samples(data.FirstOfTraining(options.PreviewPictures, cancellation), cancellation)),
        ("val/from-images", Samples(data.ValidationBatches(1, cancellation).First(), cancellation)),
    ];

    /// <inheritdoc/>
    public void Dispose()
    {
        training.Dispose();
        data.Dispose();
        model.Dispose();
        vqgan.Dispose();
        clip.Dispose();
    }

    private Picture Samples(PictureBatch batch, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var shown = batch with { Pictures = [.. batch.Pictures.Take(options.PreviewPictures)] };
        var count = shown.Pictures.Length;
        var codes = CodeSampler.Sample(model, Embeddings(shown), 0, count, new GenerationSettings { Seed = State.Seed }, null, cancellation);
        return PictureGrid.Make([.. shown.Pictures, .. PictureCodec.Pictures(PictureCodec.Paint(vqgan, codes))], count);
    }

    private (int[][] Codes, Tensor Embeddings) Encoded(long epoch, long step, CancellationToken cancellation)
    {
        if (!options.CacheCodes) return Encode(data.At(epoch, step, cancellation));
        // No picture is loaded: where one could not be read, its place among the encoded ones holds what took its place.
        cache ??= Cached(cancellation);
        var indices = data.IndicesAt(epoch, step);
        return ([.. indices.Select(cache.CodesOf)], device.From([.. indices.SelectMany(cache.EmbeddingOf)], new Shape(indices.Length, clip.Config.EmbeddingSize)));
    }

    /// <summary>The encoded pictures, from the file where there is one of theirs.</summary>
    private EncodedPictures Cached(CancellationToken cancellation)
    {
        var count = checked((int)data.Train.Count);
        if (options.CachePath is not { } path) return EncodeAll(count, cancellation);
        var key = EncodedPictures.KeyOf(data.Train, data.Side, State.Seed, options.Encoders);
        if (EncodedPictures.Read(path, key, count, model.Config.BlockSize, clip.Config.EmbeddingSize, model.Config.Vocabulary) is { } kept)
        {
            note($"{count:N0} encoded pictures from {path}");
            return kept;
        }
        var encoded = EncodeAll(count, cancellation);
        encoded.Write(path, key);
        return encoded;
    }

    /// <summary>Every picture of the dataset, once, as its centre crop.</summary>
    private EncodedPictures EncodeAll(int count, CancellationToken cancellation)
    {
        note($"encoding {count:N0} pictures once");
        var encoded = new EncodedPictures(count, model.Config.BlockSize, clip.Config.EmbeddingSize);
        var plan = BatchPlan.Sequential(count, 64);
        using var loader = data.All(plan);
        var clock = Stopwatch.StartNew();
        var told = TimeSpan.Zero;
        for (var step = 0L; step < plan.StepsPerEpoch; step++)
        {
            if (step > 0 && clock.Elapsed - told >= TellEvery)
            {
                told = clock.Elapsed;
                var done = step * plan.Batch;
                note(string.Create(CultureInfo.InvariantCulture, $"encoded {done:N0} of {count:N0} pictures, {done / told.TotalSeconds:F1} images/s, {DurationText.Of(told * ((double)(count - done) / done))} left"));
            }
            using var scope = new TensorScope();
            var batch = loader.Next(cancellation);
            var (rows, vectors) = Encode(batch);
            encoded.Set(step * plan.Batch, rows, vectors.ToFloats());
        }
        return encoded;
    }

    private (int[][] Codes, Tensor Embeddings) Encode(PictureBatch batch)
    {
        using var inner = new TensorScope();
        using var pause = Tape.Pause();
        var codes = vqgan.Quantize(vqgan.Encode(device.From(batch.ToVqGan(), new Shape(batch.Pictures.Length, data.Side, data.Side, 3)))).ToArray<int>();
        return ([.. codes.Chunk(model.Config.BlockSize)], inner.Keep(Embeddings(batch)));
    }

    /// <summary>The same crops, resized to CLIP's side.</summary>
    private Tensor Embeddings(PictureBatch batch)
    {
        using var inner = new TensorScope();
        var side = clip.Config.ImageSize;
        var x = device.From(batch.ToClip(side), new Shape(batch.Pictures.Length, side, side, 3));
        return inner.Keep(clip.EncodeImage(x).L2Normalize());
    }
}
