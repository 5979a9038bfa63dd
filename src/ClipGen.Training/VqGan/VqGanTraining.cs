using ClipGen.Kernels;
using ClipGen.Models.Lpips;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Tensors.Optim;

namespace ClipGen.Training.VqGan;

/// <summary>Constants of the VQ-GAN's losses; the defaults are the reference's.</summary>
public sealed record VqGanRecipe
{
    /// <summary>Learning rate of both optimisers: 4.5e-6 per picture of the batch in the reference.</summary>
    public required double LearningRate { get; init; }

    /// <summary>First moment's decay.</summary>
    public double Beta1 { get; init; } = 0.5;

    /// <summary>Second moment's decay.</summary>
    public double Beta2 { get; init; } = 0.9;

    /// <summary>Weight of the perceptual loss; 0 does without LPIPS.</summary>
    public float PerceptualWeight { get; init; } = 1;

    /// <summary>Weight of the mean squared error beside L1; the reference has none.</summary>
    public float SquaredWeight { get; init; }

    /// <summary>Weight of the quantiser's loss.</summary>
    public float QuantizerWeight { get; init; } = 1;

    /// <summary>Weight of the codebook's term inside the quantiser's loss.</summary>
    public float CodebookBeta { get; init; } = 0.2f;

    /// <summary>Factor of the adversarial loss beside its adaptive weight.</summary>
    public float AdversarialWeight { get; init; } = 0.8f;

    /// <summary>Longest gradient of either optimiser; 0 for no limit.</summary>
    public double ClipNorm { get; init; }

    /// <summary>Whether a discriminator takes part at any time of the run. One that never does is not run at all.</summary>
    public bool Discriminates { get; init; } = true;

    /// <summary>Encoder and codebook stay as they are, and only the decoder learns: codes keep their meaning, so that a GPT trained on them stays right.</summary>
    public bool FreezeEncoder { get; init; }
}

/// <summary>Numbers of one step.</summary>
/// <param name="Generator">The generator's total loss.</param>
/// <param name="L1">Mean absolute error of the reconstruction.</param>
/// <param name="Perceptual">LPIPS.</param>
/// <param name="Quantizer">The quantiser's loss.</param>
/// <param name="Adversarial">−mean of the discriminator's logits.</param>
/// <param name="AdversarialWeight">The adaptive weight; 0 before the discriminator begins.</param>
/// <param name="Discriminator">The discriminator's loss; 0 before it begins.</param>
/// <param name="GeneratorNorm">Length of the generator's gradient.</param>
/// <param name="DiscriminatorNorm">Length of the discriminator's gradient.</param>
/// <param name="Codes">Codes of the batch, before the generator's step.</param>
public sealed record VqGanLosses(double Generator, double L1, double Perceptual, double Quantizer, double Adversarial, double AdversarialWeight, double Discriminator, double GeneratorNorm, double DiscriminatorNorm, int[] Codes);

/// <summary>
/// Training steps of the VQ-GAN (Esser, Rombach, Ommer 2021, in the reference's form): the generator learns to reconstruct and to fool the discriminator, then the discriminator learns
/// to tell pictures from the improved generator's reconstructions.
/// </summary>
public sealed class VqGanTraining : IDisposable
{
    private readonly VqGanModel model;
    private readonly LpipsModel? lpips;
    private readonly Parameter[] discriminatorParameters;

    /// <summary>Training of a model.</summary>
    /// <param name="model">Loaded as trainable, with its discriminator.</param>
    /// <param name="lpips">Loaded as plain; null when the perceptual weight is 0.</param>
    /// <param name="recipe">Constants.</param>
    /// <exception cref="ArgumentException">The model lacks a discriminator, or LPIPS is missing.</exception>
    public VqGanTraining(VqGanModel model, LpipsModel? lpips, VqGanRecipe recipe)
    {
        if (model.Discriminator is null) throw new ArgumentException("this VQ-GAN has no discriminator, which training needs");
        if (lpips is null && recipe.PerceptualWeight != 0) throw new ArgumentException("the perceptual loss needs LPIPS");
        (this.model, this.lpips, Recipe) = (model, lpips, recipe);
        var settings = new AdamSettings { LearningRate = recipe.LearningRate, Beta1 = recipe.Beta1, Beta2 = recipe.Beta2 };
        discriminatorParameters = [.. model.Parameters.Where(p => !p.IsBuffer && IsDiscriminator(p))];
        Generator = new AdamOptimizer([new ParameterGroup([.. model.Parameters.Where(p => !p.IsBuffer && !IsDiscriminator(p))])], settings);
        Discriminator = new AdamOptimizer([new ParameterGroup(discriminatorParameters)], settings);
        // Parameters without a gradient are left out of a step, and keep their places in the optimiser's state.
        if (recipe.FreezeEncoder) Freeze([.. model.Parameters.Where(p => !p.IsBuffer && IsEncoder(p))], true);
    }

    /// <summary>Constants.</summary>
    public VqGanRecipe Recipe { get; }

    /// <summary>Optimiser of encoder, decoder and codebook (<c>opt_g</c>).</summary>
    public AdamOptimizer Generator { get; }

    /// <summary>Optimiser of the discriminator (<c>opt_d</c>).</summary>
    public AdamOptimizer Discriminator { get; }

    /// <summary>One step on pictures [N, H, W, 3] in [−1, 1].</summary>
    /// <param name="pictures">The batch, or several whose gradients are averaged.</param>
    /// <param name="quantized">Whether latents become codes; without it the decoder sees them as they are, and no code is chosen.</param>
    /// <param name="adversarial">Whether the discriminator takes part; before that it only sees the reconstructions, which moves its statistics (see <see cref="VqGanRecipe.Discriminates"/>).</param>
    public VqGanLosses Step(bool quantized, bool adversarial, params IReadOnlyList<Tensor> pictures)
    {
        var parts = pictures.Select(part => GeneratorGradients(part, quantized, adversarial)).ToArray();
        var norm = Generator.StepOfMean(parts.Length, Recipe.ClipNorm);
        double discriminator = 0, discriminatorNorm = 0;
        if (adversarial && double.IsFinite(norm))
        {
            discriminator = pictures.Select(part => DiscriminatorGradients(part)).ToArray().Average();
            discriminatorNorm = Discriminator.StepOfMean(parts.Length, Recipe.ClipNorm);
        }
        return new VqGanLosses(parts.Average(p => p.Generator), parts.Average(p => p.L1), parts.Average(p => p.Perceptual), parts.Average(p => p.Quantizer), parts.Average(p => p.Adversarial),
            parts.Average(p => p.AdversarialWeight), discriminator, norm, discriminatorNorm, [.. parts.SelectMany(p => p.Codes)]);
    }

    /// <summary>The generator's half of a step without the update: adds to the gradients of encoder, decoder and codebook.</summary>
    public VqGanLosses GeneratorGradients(Tensor pictures, bool quantized, bool adversarial, bool findNonFinite = false)
    {
        // The reference computes and discards the discriminator's gradients here; they are not even computed.
        Freeze(discriminatorParameters, true);
        try
        {
            using var scope = new TensorScope();
            using var tape = new Tape { FindNonFinite = findNonFinite };
            var latents = model.Encode(pictures);
            Tensor? codes = null, quantizer = null;
            var seen = latents;
            if (quantized)
            {
                codes = model.Quantize(latents);
                var vectors = model.Embed(codes);
                quantizer = Losses.Quantizer(latents, vectors, Recipe.CodebookBeta);
                seen = latents.StraightThrough(vectors);
            }
            var reconstruction = model.Decode(seen);
            var l1 = Losses.L1(reconstruction, pictures);
            var perceptual = lpips?.Loss(reconstruction, pictures);
            var content = l1;
            if (perceptual is not null) content = content.Add(perceptual.Affine(Recipe.PerceptualWeight, 0));
            if (Recipe.SquaredWeight != 0) content = content.Add(Losses.MeanSquared(reconstruction, pictures).Affine(Recipe.SquaredWeight, 0));
            var total = quantizer is null ? content : content.Add(quantizer.Affine(Recipe.QuantizerWeight, 0));

            double weight = 0;
            Tensor? fooling = null;
            if (adversarial)
            {
                fooling = Losses.Adversarial(model.Discriminator!.ForwardTraining(reconstruction));
                weight = AdaptiveWeight(tape, content, fooling);
                total = total.Add(fooling.Affine((float)(weight * Recipe.AdversarialWeight), 0));
            }
            else if (Recipe.Discriminates)
            {
                using (Tape.Pause()) fooling = Losses.Adversarial(model.Discriminator!.ForwardTraining(reconstruction));
            }
            tape.Backward(total);
            return new VqGanLosses(Number(total), Number(l1), Number(perceptual), Number(quantizer), Number(fooling), weight, 0, 0, 0, codes?.ToArray<int>() ?? []);
        }
        finally
        {
            Freeze(discriminatorParameters, false);
        }
    }

    /// <summary>The discriminator's half without the update: adds to its gradients.</summary>
    /// <returns>Its loss.</returns>
    public double DiscriminatorGradients(Tensor pictures, bool findNonFinite = false)
    {
        using var scope = new TensorScope();
        var reconstruction = model.Reconstruct(pictures);
        using var tape = new Tape { FindNonFinite = findNonFinite };
        var loss = Losses.Hinge(model.Discriminator!.ForwardTraining(pictures), model.Discriminator.ForwardTraining(reconstruction));
        tape.Backward(loss);
        return Number(loss);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Generator.Dispose();
        Discriminator.Dispose();
    }

    /// <summary><c>clamp(|grad of the content| / (|grad of the adversarial loss| + 1e-4), 0, 1e4)</c>, gradients with respect to the decoder's last filters: neither loss drowns the other.</summary>
    private double AdaptiveWeight(Tape tape, Tensor content, Tensor adversarial)
    {
        using var scope = new TensorScope();
        double Length(Tensor loss) => Math.Sqrt(tape.Gradients(loss, [model.LastLayer], retainGraph: true)[0].ToFloats().Sum(g => (double)g * g));
        return Math.Clamp(Length(content) / (Length(adversarial) + 1e-4), 0, 1e4);
    }

    /// <summary>
    /// Gives codes that nothing chose the places of latents of this batch, and forgets their moments: a code that is far from every latent gets no gradient and would stay so. A latent is taken with a
    /// probability that grows with the square of its distance to the nearest code so far, the new ones included (k-means++, Arthur and Vassilvitskii 2007): codes go where pictures are badly
    /// represented, and not where most latents are, which on flat pictures is the background.
    /// </summary>
    /// <param name="pictures">Pictures whose latents to take.</param>
    /// <param name="dead">One flag per code.</param>
    /// <param name="key">Chooses the latents.</param>
    /// <returns>Codes that moved; fewer than are dead when every latent has a code of its own.</returns>
    public int RestartCodes(Tensor pictures, ReadOnlySpan<bool> dead, in RandomKey key)
    {
        if (!dead.Contains(true)) return 0;
        using var scope = new TensorScope();
        var encoded = model.Encode(pictures);
        var width = model.CodeSize;
        float[] latents = encoded.ToFloats(), nearest = model.Embed(model.Quantize(encoded)).ToFloats();
        var distances = new double[latents.Length / width];
        // Where no code is in use, there is none to be near to.
        var anew = !dead.Contains(false);
        for (var row = 0; row < distances.Length; row++) distances[row] = anew ? 1 : SquaredDistance(latents, row, nearest, row, width);

        var moments = Generator.Moments.Single(m => ReferenceEquals(m.Parameter.Value, model.Codebook));
        Tensor?[] tables = [model.Codebook, moments.Mean, moments.Variance];
        float[]?[] values = [.. tables.Select(table => table?.ToFloats())];
        var moved = 0;
        for (var code = 0; code < dead.Length; code++)
        {
            if (!dead[code]) continue;
            var total = 0.0;
            foreach (var distance in distances) total += distance;
            if (!(total > 0)) break;
            var (left, row) = (total * Philox.Uniform(key, code), 0);
            while (row < distances.Length - 1 && (left -= distances[row]) >= 0) row++;
            latents.AsSpan(row * width, width).CopyTo(values[0]!.AsSpan(code * width));
            foreach (var moment in values.Skip(1)) moment?.AsSpan(code * width, width).Clear();
            for (var other = 0; other < distances.Length; other++)
            {
                var distance = SquaredDistance(latents, other, latents, row, width);
                if (distance < distances[other] || (anew && moved == 0)) distances[other] = distance;
            }
            moved++;
        }
        for (var t = 0; t < tables.Length; t++)
            if (tables[t] is { } table) table.Device.Backend.Upload<float>(values[t], table.Floats);
        return moved;
    }

    private static double SquaredDistance(float[] a, int rowA, float[] b, int rowB, int width)
    {
        var sum = 0.0;
        for (var i = 0; i < width; i++)
        {
            var difference = (double)a[rowA * width + i] - b[rowB * width + i];
            sum += difference * difference;
        }
        return sum;
    }

    private static void Freeze(Parameter[] parameters, bool frozen)
    {
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = !frozen;
    }

    private static bool IsEncoder(Parameter parameter) => parameter.Name == VqGanModel.CodebookName || parameter.Name.StartsWith("encoder.", StringComparison.Ordinal);

    private static bool IsDiscriminator(Parameter parameter) => parameter.Name.StartsWith("discriminator.", StringComparison.Ordinal);

    /// <summary>A loss as a number; 0 for one that has no part in the step.</summary>
    private static double Number(Tensor? loss) => loss?.ToFloats()[0] ?? 0;
}
