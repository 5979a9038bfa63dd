using System.Globalization;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Kernels;
using ClipGen.Models.Lpips;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Training.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.VqGan;

/// <summary>How a VQ-GAN is trained, beside its <see cref="VqGanRecipe"/>.</summary>
public sealed record VqGanTrainerOptions
{
    /// <summary>Learning rate over the run.</summary>
    public required ISchedule Schedule { get; init; }

    /// <summary>Epoch, with its part, from which the discriminator takes part: 1 in the reference.</summary>
    public double DiscriminatorStartEpoch { get; init; } = 1;

    /// <summary>Step of the whole run from which it does, instead; negative to go by epochs.</summary>
    public long DiscriminatorStartStep { get; init; } = -1;

    /// <summary>Batches whose gradients are averaged into a step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Steps between two searches for codes that nothing chose; 0 for none, as in the reference.</summary>
    public int RestartEvery { get; init; }

    /// <summary>Steps of the whole run after which codes are no longer moved; 0 for no end.</summary>
    public long RestartUntil { get; init; }

    /// <summary>
    /// Step of the whole run from which latents become codes. Up to then encoder and decoder learn without them, which is fast, and the codes, chosen by nothing, are laid onto latents
    /// again and again (Łańcucki et al. 2020, "Robust training of vector quantized bottleneck models"); so this needs <see cref="RestartEvery"/>.
    /// </summary>
    public long QuantizeFrom { get; init; }

    /// <summary>Pictures of a validation at most.</summary>
    public long ValidationPictures { get; init; } = 5000;
}

/// <summary><c>train vqgan</c>.</summary>
public sealed class VqGanTrainer : ITrainer
{
    // Purposes of random numbers are 32 bits: this one says "restarted codes".
    private const uint RestartPurpose = 0xDEADu << 16;
    private const int PreviewPictures = 8;
    private const string SinceRestart = "codes_since_restart", InEpoch = "codes_in_epoch";
    private readonly Device device;
    private readonly VqGanModel model;
    private readonly LpipsModel? lpips;
    private readonly VqGanTraining training;
    private readonly VqGanTrainerOptions options;
    private readonly TrainingData data;

    /// <summary>Training of a model; it owns the data and frees it.</summary>
    /// <param name="device">Where.</param>
    /// <param name="model">Loaded as trainable.</param>
    /// <param name="lpips">Loaded as plain, or null without the perceptual loss.</param>
    /// <param name="recipe">Constants of the losses.</param>
    /// <param name="options">The rest.</param>
    /// <param name="data">Batches.</param>
    /// <param name="seed">Seed of everything random.</param>
    /// <param name="configuration">The run's configuration, for its checkpoints.</param>
    public VqGanTrainer(Device device, VqGanModel model, LpipsModel? lpips, VqGanRecipe recipe, VqGanTrainerOptions options, TrainingData data, ulong seed, string configuration)
    {
        (this.device, this.model, this.lpips, this.options, this.data) = (device, model, lpips, options, data);
        if (data.Side % model.Factor != 0) throw new DataException($"pictures of {data.Side} pixels do not fit this VQ-GAN, whose codes stand for {model.Factor} x {model.Factor}; give --size a multiple of {model.Factor}");
        // Without a discriminator VqGanTraining refuses the model.
        if (data.Side < (model.Discriminator?.SmallestSide ?? 0)) throw new DataException($"pictures of {data.Side} pixels are too small for the discriminator; give --size {model.Discriminator!.SmallestSide} or more");
        StepsPerEpoch = data.StepsPerEpoch(options.Accumulate);
        training = new VqGanTraining(model, lpips, recipe);
        State = new TrainingState
        {
            Kind = "vqgan",
            Parameters = model.Parameters,
            Optimizers = [("opt_g", training.Generator), ("opt_d", training.Discriminator)],
            ScoreKey = "loss_recon",
            Configuration = configuration,
            Seed = seed,
        };
        State.Counters[SinceRestart] = new float[model.Codes];
        State.Counters[InEpoch] = new float[model.Codes];
    }

    /// <inheritdoc/>
    public string Model => string.Create(CultureInfo.InvariantCulture, $"VQ-GAN, {model.Codes:N0} codes of {model.CodeSize}, f = {model.Factor}, {State.Parameters.Where(p => !p.IsBuffer).Sum(p => p.Value.Count):N0} parameters");

    /// <inheritdoc/>
    public TrainingState State { get; }

    /// <inheritdoc/>
    public int BatchSize => data.Batch * options.Accumulate;

    /// <inheritdoc/>
    public long StepsPerEpoch { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> StepMetrics { get; } = ["loss_g", "loss_recon", "loss_perceptual", "loss_quant", "weight_d", "loss_d", "norm_g", "norm_d", "lr"];

    /// <inheritdoc/>
    public IReadOnlyList<string> EpochMetrics { get; } = ["codes_used", "perplexity"];

    /// <inheritdoc/>
    public IReadOnlyList<string> ValidationMetrics { get; } = ["loss_recon", "loss_perceptual", "psnr", "codes_used", "perplexity"];

    /// <inheritdoc/>
    public IReadOnlyList<MemoryPart> Memory
    {
        get
        {
            var weights = 4 * State.Parameters.Sum(p => p.Value.Count);
            // About as many activations per pixel as a level's width times its layers; the estimate is within a quarter of the peaks of the two train_*vqgan cases in benchmarks/results.
            var activations = 4L * data.Batch * data.Side * data.Side * 60 * State.Parameters.First(p => p.Name == "encoder.conv_in.weight").Shape[0];
            return [new("weights", weights), new("gradients", weights), new("optimiser", 2 * weights), new("activations", activations)];
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Step(long epoch, long step, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var rate = options.Schedule.At(epoch + (double)step / StepsPerEpoch);
        training.Generator.LearningRate = training.Discriminator.LearningRate = rate;
        var batches = Enumerable.Range(0, options.Accumulate).Select(i => Upload(data.At(epoch, step * options.Accumulate + i, cancellation))).ToArray();
        var losses = training.Step(IsQuantized(epoch, step), IsAdversarial(epoch, step), batches);
        Count(losses.Codes);
        Restart(batches[0], GlobalStep(epoch, step));
        return new Dictionary<string, double>
        {
            ["loss_g"] = losses.Generator,
            ["loss_recon"] = losses.L1,
            ["loss_perceptual"] = losses.Perceptual,
            ["loss_quant"] = losses.Quantizer,
            ["weight_d"] = losses.AdversarialWeight,
            ["loss_d"] = losses.Discriminator,
            ["norm_g"] = losses.GeneratorNorm,
            ["norm_d"] = losses.DiscriminatorNorm,
            ["lr"] = rate,
        };
    }

    /// <inheritdoc/>
    public void FindNonFinite(long epoch, long step, CancellationToken cancellation)
    {
        using var scope = new TensorScope();
        var pictures = Upload(data.At(epoch, step * options.Accumulate, cancellation));
        training.GeneratorGradients(pictures, IsQuantized(epoch, step), IsAdversarial(epoch, step), findNonFinite: true);
        training.DiscriminatorGradients(pictures, findNonFinite: true);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> EndEpoch(long epoch, Action<string> warn)
    {
        var usage = CodeUsage.Of<float>(State.Counters[InEpoch]);
        Array.Clear(State.Counters[InEpoch]);
        if (usage.Used == 0) warn(string.Create(CultureInfo.InvariantCulture, $"epoch {epoch} used no codes, and validations mean little: latents become codes from step {options.QuantizeFrom} on (--quantize-from)"));
        else if (usage.Share < 0.1) warn(string.Create(CultureInfo.InvariantCulture, $"the codebook is collapsing: epoch {epoch} chose {usage.Used} of {model.Codes} codes (perplexity {usage.Perplexity:F1}); --restart-codes 100 gives unused codes another chance"));
        return new Dictionary<string, double> { ["codes_used"] = usage.Share, ["perplexity"] = usage.Perplexity };
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Validate(CancellationToken cancellation)
    {
        double l1 = 0, perceptual = 0, decibels = 0;
        var counts = new float[model.Codes];
        var pictures = 0;
        foreach (var batch in data.ValidationBatches(options.ValidationPictures, cancellation))
        {
            using var scope = new TensorScope();
            var x = Upload(batch);
            var codes = model.Quantize(model.Encode(x));
            foreach (var code in codes.ToArray<int>()) counts[code]++;
            var reconstruction = model.Reconstruct(x);
            var n = batch.Pictures.Length;
            l1 += n * (double)Losses.L1(reconstruction, x).ToFloats()[0];
            if (lpips is not null) perceptual += n * (double)lpips.Loss(reconstruction, x).ToFloats()[0];
            decibels += PeakSignalToNoise(x.ToFloats(), reconstruction.Clamp(-1, 1).ToFloats(), n);
            pictures += n;
        }
        var usage = CodeUsage.Of<float>(counts);
        return new Dictionary<string, double>
        {
            ["loss_recon"] = (l1 + perceptual) / pictures,
            ["loss_perceptual"] = perceptual / pictures,
            ["psnr"] = decibels / pictures,
            ["codes_used"] = usage.Share,
            ["perplexity"] = usage.Perplexity,
        };
    }

    /// <summary>Above, pictures; below, their reconstructions: of pictures that it is trained on, and of others.</summary>
    public IReadOnlyList<(string Tag, Picture Grid)> Preview(CancellationToken cancellation) =>
        [("train/img-recon", Reconstructions(data.FirstOfTraining(PreviewPictures, cancellation))), ("val/img-recon", Reconstructions(data.ValidationBatches(1, cancellation).First()))];

    /// <inheritdoc/>
    public void Dispose()
    {
        training.Dispose();
        data.Dispose();
        model.Dispose();
        lpips?.Dispose();
    }

    private Picture Reconstructions(PictureBatch batch)
    {
        using var scope = new TensorScope();
        var shown = batch with { Pictures = [.. batch.Pictures.Take(PreviewPictures)] };
        return PictureGrid.Make([.. shown.Pictures, .. PictureCodec.Pictures(model.Reconstruct(Upload(shown)))], shown.Pictures.Length);
    }

    private long GlobalStep(long epoch, long step) => epoch * StepsPerEpoch + step;

    private bool IsQuantized(long epoch, long step) => GlobalStep(epoch, step) >= options.QuantizeFrom;

    private bool IsAdversarial(long epoch, long step) => options.DiscriminatorStartStep >= 0
        ? GlobalStep(epoch, step) >= options.DiscriminatorStartStep
        : epoch + (double)step / StepsPerEpoch >= options.DiscriminatorStartEpoch;

    private Tensor Upload(PictureBatch batch) => device.From(batch.ToVqGan(), new Shape(batch.Pictures.Length, data.Side, data.Side, 3));

    private void Count(int[] codes)
    {
        var (restart, epoch) = (State.Counters[SinceRestart], State.Counters[InEpoch]);
        foreach (var code in codes)
        {
            restart[code]++;
            epoch[code]++;
        }
    }

    private void Restart(Tensor pictures, long globalStep)
    {
        if (options.RestartEvery == 0 || (globalStep + 1) % options.RestartEvery != 0 || (options.RestartUntil > 0 && globalStep >= options.RestartUntil)) return;
        var counts = State.Counters[SinceRestart];
        var dead = new bool[counts.Length];
        for (var code = 0; code < dead.Length; code++) dead[code] = counts[code] == 0;
        training.RestartCodes(pictures, dead, new RandomKey(State.Seed, RestartPurpose, (uint)globalStep));
        Array.Clear(counts);
    }

    /// <summary>Sum over pictures of <c>10 log₁₀(1 / mse)</c> with values in [0, 1].</summary>
    private static double PeakSignalToNoise(float[] pictures, float[] found, int count)
    {
        var size = pictures.Length / count;
        var sum = 0.0;
        for (var n = 0; n < count; n++)
        {
            var error = 0.0;
            for (var i = n * size; i < (n + 1) * size; i++) error += (pictures[i] - (double)found[i]) * (pictures[i] - (double)found[i]) / 4;
            // An exact copy counts as half a level of error everywhere, the least that 8 bits can show.
            sum += -10 * Math.Log10(Math.Max(error / size, 0.25 / (255.0 * 255)));
        }
        return sum;
    }
}
