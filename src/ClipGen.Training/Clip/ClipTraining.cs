using ClipGen.Models.Clip;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Tensors.Optim;

namespace ClipGen.Training.Clip;

/// <summary>Constants of CLIP's training (Radford et al. 2021, table 19).</summary>
public sealed record ClipRecipe
{
    /// <summary>Highest learning rate: 5e-4 for ViT-B/32.</summary>
    public required double LearningRate { get; init; }

    /// <summary>First moment's decay.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Second moment's decay.</summary>
    public double Beta2 { get; init; } = 0.98;

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>Decay of all matrices; not of gains, biases and the logit scale.</summary>
    public double WeightDecay { get; init; } = 0.2;

    /// <summary>Longest gradient; 0 for no limit.</summary>
    public double ClipNorm { get; init; }

    /// <summary>Largest factor on similarities; the logit scale is clipped to its logarithm.</summary>
    public double LargestScale { get; init; } = 100;
}

/// <summary>Numbers of one step.</summary>
/// <param name="Total">The loss.</param>
/// <param name="Accuracy">Share of pictures whose own text is the nearest of the batch.</param>
/// <param name="Scale">Factor on similarities.</param>
/// <param name="Norm">Length of the gradient.</param>
public sealed record ClipLosses(double Total, double Accuracy, double Scale, double Norm);

/// <summary>Training steps of CLIP on captioned pictures.</summary>
public sealed class ClipTraining : IDisposable
{
    private readonly ClipModel model;

    /// <summary>Training of a model that was loaded as trainable.</summary>
    public ClipTraining(ClipModel model, ClipRecipe recipe)
    {
        (this.model, Recipe) = (model, recipe);
        var parameters = model.Parameters.Where(p => !p.IsBuffer).ToArray();
        Optimizer = new AdamOptimizer(
            [new ParameterGroup([.. parameters.Where(Decays)], recipe.WeightDecay), new ParameterGroup([.. parameters.Where(p => !Decays(p))])],
            new AdamSettings { LearningRate = recipe.LearningRate, Beta1 = recipe.Beta1, Beta2 = recipe.Beta2, Epsilon = recipe.Epsilon, Decoupled = true });
    }

    /// <summary>Constants.</summary>
    public ClipRecipe Recipe { get; }

    /// <summary>The optimiser: decayed parameters first.</summary>
    public AdamOptimizer Optimizer { get; }

    /// <summary>One step.</summary>
    /// <param name="pictures">[N, S, S, 3], normalised with CLIP's statistics.</param>
    /// <param name="tokens">One row of token ids per picture.</param>
    /// <param name="findNonFinite">Name the op that makes a value that is not finite.</param>
    public ClipLosses Step(Tensor pictures, IReadOnlyList<int[]> tokens, bool findNonFinite = false)
    {
        var losses = Gradients(pictures, tokens, findNonFinite);
        var norm = Optimizer.StepOfMean(clipNorm: Recipe.ClipNorm);
        model.Device.Backend.Clamp(model.LogitScale.Floats, 0, (float)Math.Log(Recipe.LargestScale), model.LogitScale.Floats);
        return losses with { Norm = norm };
    }

    /// <summary>Loss and gradients of a batch, without an update.</summary>
    public ClipLosses Gradients(Tensor pictures, IReadOnlyList<int[]> tokens, bool findNonFinite = false)
    {
        using var scope = new TensorScope();
        using var tape = new Tape { FindNonFinite = findNonFinite };
        var (loss, accuracy) = Forward(pictures, tokens);
        tape.Backward(loss);
        return new ClipLosses(loss.ToFloats()[0], accuracy, Math.Exp(model.LogitScale.ToFloats()[0]), 0);
    }

    /// <summary>Loss and accuracy of a batch.</summary>
    public (double Loss, double Accuracy) Evaluate(Tensor pictures, IReadOnlyList<int[]> tokens)
    {
        using var scope = new TensorScope();
        var (loss, accuracy) = Forward(pictures, tokens);
        return (loss.ToFloats()[0], accuracy);
    }

    /// <inheritdoc/>
    public void Dispose() => Optimizer.Dispose();

    private (Tensor Loss, double Accuracy) Forward(Tensor pictures, IReadOnlyList<int[]> tokens)
    {
        var image = model.EncodeImage(pictures).L2Normalize();
        var text = model.EncodeText(tokens).L2Normalize();
        var loss = Losses.Contrastive(image, text, model.LogitScale);
        int[] nearest;
        using (Tape.Pause()) nearest = image.MatMulTransposed(text).ArgMaxRows().ToArray<int>();
        return (loss, nearest.Where((found, n) => found == n).Count() / (double)nearest.Length);
    }

    private static bool Decays(Parameter parameter) => parameter.Shape.Count >= 2;
}
