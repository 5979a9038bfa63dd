using ClipGen.Kernels;
using ClipGen.Models.Clip;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Tensors.Optim;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ClipGen.Training.Gpt;

/// <summary>Constants of the GPT's training; the defaults are the reference's.</summary>
public sealed record GptRecipe
{
    /// <summary>Highest learning rate: 5e-4 / 256 per picture of the batch in the reference.</summary>
    public required double LearningRate { get; init; }

    /// <summary>First moment's decay.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Second moment's decay.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Decay of the weights of linear layers.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Dropout.</summary>
    public float Dropout { get; init; } = 0.1f;

    /// <summary>Weight of the CLIP loss on reconstructed samples; 0 does without it.</summary>
    public float ClipWeight { get; init; }

    /// <summary>
    /// Weight of the contrastive loss, per picture in nats (<see cref="GptTraining.ContrastiveLoss"/>); 0 does without it, as the reference. What tells an embedding from similar ones is a small part of what a picture's codes hold, and
    /// the cross-entropy learns it late.
    /// </summary>
    public float ContrastWeight { get; init; }

    /// <summary>
    /// Standard deviation of the noise added to every embedding's direction before it is normalised again: a text's embedding lies beside its picture's, and a
    /// GPT that has seen a neighbourhood of each picture's follows it better. 0 in the reference.
    /// </summary>
    public float ConditionNoise { get; init; }

    /// <summary>Share of the pictures whose embedding is left out (all zeros), so that generation can be guided (Ho and Salimans 2022, arXiv 2207.12598). 0 in the reference.</summary>
    public float ConditionDrop { get; init; }

    /// <summary>Longest gradient; 0 for no limit.</summary>
    public double ClipNorm { get; init; }

    /// <summary>Compute each block's activations again instead of keeping them.</summary>
    public bool Recompute { get; init; }
}

/// <summary>Numbers of one step.</summary>
/// <param name="Total">The loss.</param>
/// <param name="CrossEntropy">Its first part.</param>
/// <param name="Clip">The CLIP loss, not yet weighted; 0 without it.</param>
/// <param name="Contrast">The contrastive loss, not yet weighted; 0 without it.</param>
/// <param name="Norm">Length of the gradient.</param>
public sealed record GptLosses(double Total, double CrossEntropy, double Clip, double Contrast, double Norm);

/// <summary>Training steps of the GPT: predict each code of a picture from its CLIP embedding and the codes before it.</summary>
public sealed class GptTraining : IDisposable
{
    // Purposes of random numbers are 32 bits: this one says "noise on the condition".
    private const uint NoisePurpose = 0xC0 << 16;

    // And this one "which conditions are left out".
    private const uint DropPurpose = 0xC1 << 16;
    private readonly GptModel model;
    private readonly VqGanModel? vqgan;
    private readonly ClipModel? clip;
    private readonly ulong seed;

    /// <summary>Training of a model.</summary>
    /// <param name="model">Loaded as trainable.</param>
    /// <param name="recipe">Constants.</param>
    /// <param name="seed">Seed of dropout and noise.</param>
    /// <param name="vqgan">For the CLIP loss: loaded as plain.</param>
    /// <param name="clip">For the CLIP loss: loaded as plain.</param>
    /// <exception cref="ArgumentException">The CLIP loss is asked for without its models.</exception>
    public GptTraining(GptModel model, GptRecipe recipe, ulong seed, VqGanModel? vqgan = null, ClipModel? clip = null)
    {
        if (recipe.ClipWeight != 0 && (vqgan is null || clip is null)) throw new ArgumentException("the CLIP loss needs the VQ-GAN and CLIP");
        (this.model, Recipe, this.seed, this.vqgan, this.clip) = (model, recipe, seed, vqgan, clip);
        // The reference sorts the names as text in each group (blocks.10 before blocks.2); a stored state is numbered so.
        var sorted = model.Parameters.Where(p => !p.IsBuffer).OrderBy(p => p.Name, StringComparer.Ordinal).ToArray();
        Optimizer = new AdamOptimizer(
            [new ParameterGroup([.. sorted.Where(Decays)], recipe.WeightDecay), new ParameterGroup([.. sorted.Where(p => !Decays(p))])],
            new AdamSettings { LearningRate = recipe.LearningRate, Beta1 = recipe.Beta1, Beta2 = recipe.Beta2, Decoupled = true });
    }

    /// <summary>Constants.</summary>
    public GptRecipe Recipe { get; }

    /// <summary>The optimiser: decayed parameters first.</summary>
    public AdamOptimizer Optimizer { get; }

    /// <summary>One step.</summary>
    /// <param name="step">Number of the step, which names its random numbers.</param>
    /// <param name="batches">The batch, or several whose gradients are averaged: all codes of each picture, int [N, L], and the pictures' unit CLIP embeddings [N, E].</param>
    public GptLosses Step(long step, params IReadOnlyList<(int[][] Codes, Tensor Embeddings)> batches)
    {
        // Every part of an averaged batch has random numbers of its own.
        var parts = batches.Select((batch, i) => Gradients(batch.Codes, batch.Embeddings, step * batches.Count + i)).ToArray();
        var norm = Optimizer.StepOfMean(parts.Length, Recipe.ClipNorm);
        return new GptLosses(parts.Average(p => p.Total), parts.Average(p => p.CrossEntropy), parts.Average(p => p.Clip), parts.Average(p => p.Contrast), norm);
    }

    /// <summary>Loss and gradients of a batch, added to what there is, without an update.</summary>
    public GptLosses Gradients(int[][] codes, Tensor embeddings, long step, bool findNonFinite = false)
    {
        using var scope = new TensorScope();
        using var tape = new Tape { FindNonFinite = findNonFinite };
        var conditions = Noisy(embeddings, step);
        var logits = model.ForwardTraining(Inputs(codes), Dropped(conditions, step), new GptDropout(Recipe.Dropout, seed, (uint)step), Recipe.Recompute);
        var each = logits.CrossEntropy(Targets(codes));
        var crossEntropy = each.Mean();
        var total = crossEntropy;
        Tensor? clipLoss = null, contrast = null;
        if (Recipe.ClipWeight != 0)
        {
            clipLoss = ClipLoss(logits, embeddings);
            total = total.Add(clipLoss.Affine(Recipe.ClipWeight, 0));
        }
        if (Recipe.ContrastWeight != 0)
        {
            // Another's embedding takes the place of the own one, with the same noise, dropout and share left out: where both are left out the two are the same, and nothing is learned.
            var others = model.Device.From(MostSimilar(embeddings.ToFloats(), codes.Length), new Shape(codes.Length)).Embedding(conditions);
            var swapped = model.ForwardTraining(Inputs(codes), Dropped(others, step), new GptDropout(Recipe.Dropout, seed, (uint)step), Recipe.Recompute);
            contrast = ContrastiveLoss(each, swapped.CrossEntropy(Targets(codes)));
            total = total.Add(contrast.Affine(Recipe.ContrastWeight, 0));
        }
        tape.Backward(total);
        return new GptLosses(total.ToFloats()[0], crossEntropy.ToFloats()[0], clipLoss?.ToFloats()[0] ?? 0, contrast?.ToFloats()[0] ?? 0, 0);
    }

    /// <summary>Mean cross-entropy without dropout, noise or gradients.</summary>
    public double Evaluate(int[][] codes, Tensor embeddings)
    {
        using var scope = new TensorScope();
        return model.ForwardTraining(Inputs(codes), embeddings, default).CrossEntropy(Targets(codes)).Mean().ToFloats()[0];
    }

    /// <summary>
    /// The contrastive loss, InfoNCE (van den Oord et al. 2018) of two: <c>−log (p / (p + p'))</c>, with p and p' what the GPT gives all codes of a picture under its own embedding and under another. Guessing is ln 2. Of two embeddings
    /// that are as frequent, a GPT that knows p gives the true share: the loss asks for nothing that the cross-entropy does not ask for.
    /// </summary>
    /// <param name="own">Cross-entropies [N, L] under the own embedding.</param>
    /// <param name="other">Cross-entropies [N, L] under the other one.</param>
    public static Tensor ContrastiveLoss(Tensor own, Tensor other)
    {
        var count = own.Shape[0];
        var logits = other.SumRows().Reshape(count, 1, 1).Prepend(own.SumRows().Reshape(count, 1, 1)).Reshape(count, 2).Affine(-1, 0);
        return logits.CrossEntropy(own.Device.From(new int[count], new Shape(count))).Mean();
    }

    /// <summary>For each of several vectors the one among the others with the largest inner product, the first of equals.</summary>
    /// <param name="vectors">All of them, one after the other.</param>
    /// <param name="count">How many, at least 2.</param>
    public static int[] MostSimilar(float[] vectors, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        var width = vectors.Length / count;
        var found = new int[count];
        for (var i = 0; i < count; i++)
        {
            var best = float.NegativeInfinity;
            for (var j = 0; j < count; j++)
            {
                if (i == j) continue;
                var similarity = TensorPrimitives.Dot(vectors.AsSpan(i * width, width), vectors.AsSpan(j * width, width));
                // The first other one stands where nothing is larger, NaN included.
                if (similarity > best || j == (i == 0 ? 1 : 0)) (best, found[i]) = (similarity, j);
            }
        }
        return found;
    }

    /// <summary>
    /// The CLIP loss: the most likely code of every position as a straight-through choice (value: the code's vector, gradient: of the expected vector under softmax), decoded, resized to
    /// CLIP's side, embedded; mean squared difference of the unit embeddings.
    /// </summary>
    public Tensor ClipLoss(Tensor logits, Tensor embeddings)
    {
        int batch = logits.Shape[0], side = (int)Math.Round(Math.Sqrt(logits.Shape[1]));
        var expected = logits.Softmax().MatMul(vqgan!.Codebook);
        Tensor chosen;
        using (Tape.Pause()) chosen = logits.ArgMaxRows().Embedding(vqgan.Codebook);
        var pictures = vqgan.Decode(expected.StraightThrough(chosen).Reshape(batch, side, side, vqgan.CodeSize));
        var seen = clip!.EncodeImage(pictures.ResizeBilinear(clip.Config.ImageSize, clip.Config.ImageSize, antialias: false)).L2Normalize();
        return Losses.MeanSquared(seen, embeddings);
    }

    /// <inheritdoc/>
    public void Dispose() => Optimizer.Dispose();

    private Tensor Inputs(int[][] codes) => model.Device.From(codes.SelectMany(row => row[..^1]).ToArray(), new Shape(codes.Length, codes[0].Length - 1));

    private Tensor Targets(int[][] codes) => model.Device.From(codes.SelectMany(row => row).ToArray(), new Shape(codes.Length, codes[0].Length));

    private Tensor Noisy(Tensor embeddings, long step)
    {
        if (Recipe.ConditionNoise == 0) return embeddings;
        // Noise of length ConditionNoise on a unit vector, whatever its width.
        var scale = Recipe.ConditionNoise / Math.Sqrt(embeddings.Shape[^1]);
        var key = new RandomKey(seed, NoisePurpose, (uint)step);
        var noise = new float[embeddings.Count];
        for (var i = 0; i < noise.Length; i++) noise[i] = (float)(scale * Philox.Normal(key, i));
        return embeddings.Add(embeddings.Device.From(noise, embeddings.Shape)).L2Normalize();
    }

    private Tensor Dropped(Tensor embeddings, long step)
    {
        if (Recipe.ConditionDrop == 0) return embeddings;
        var key = new RandomKey(seed, DropPurpose, (uint)step);
        var (rows, width) = (embeddings.Shape[0], embeddings.Shape[1]);
        var kept = new float[embeddings.Count];
        for (var row = 0; row < rows; row++)
            if (Philox.Uniform(key, row) >= Recipe.ConditionDrop) kept.AsSpan(row * width, width).Fill(1);
        return embeddings.Multiply(embeddings.Device.From(kept, embeddings.Shape));
    }

    /// <summary>Weights of linear layers, the packed attention projection included; not tables, positions, norms or biases.</summary>
    private static bool Decays(Parameter parameter) =>
        parameter.Name.EndsWith("in_proj_weight", StringComparison.Ordinal) || (parameter.Shape.Count == 2 && parameter.Name.EndsWith(".weight", StringComparison.Ordinal) && parameter.Name != "tok_emb.weight");
}
