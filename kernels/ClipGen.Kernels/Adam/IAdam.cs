namespace ClipGen.Kernels;

/// <summary>Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), as PyTorch computes them.</summary>
public interface IAdam
{
    /// <summary>
    /// One step of all tensors, in one pass over each: with g the gradient times <see cref="AdamStep.GradientScale"/>,
    /// <c>p ← p · (1 − lr · decay)</c> (decoupled) or <c>g ← g + decay · p</c> (Adam's L2),
    /// <c>m ← m + (g − m)(1 − β1)</c>, <c>v ← β2 · v + (1 − β2) g²</c>, <c>p ← p − (lr / (1 − β1ᵗ)) · m / (sqrt(v) / sqrt(1 − β2ᵗ) + eps)</c>.
    /// Bias corrections and step size are computed in double. Gradients are only read.
    /// </summary>
    void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors);
}

/// <summary>What is common to a step.</summary>
public readonly record struct AdamStep
{
    /// <summary>Steps so far, this one included: t in the formula.</summary>
    public required long Step { get; init; }

    /// <summary>Learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Decay of the first moment.</summary>
    public required double Beta1 { get; init; }

    /// <summary>Decay of the second moment.</summary>
    public required double Beta2 { get; init; }

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay.</summary>
    public double WeightDecay { get; init; }

    /// <summary>True for AdamW: the decay acts on the parameter, not on the gradient.</summary>
    public bool Decoupled { get; init; }

    /// <summary>Factor on every gradient: 1, or what clipping to a norm asks for.</summary>
    public float GradientScale { get; init; } = 1;

    /// <summary>All values from their initialisers.</summary>
    public AdamStep()
    {
    }

    /// <exception cref="ArgumentException">A value makes no sense.</exception>
    internal void Require([System.Runtime.CompilerServices.CallerMemberName] string op = "")
    {
        Arguments.Require(Step >= 1, $"step {Step}, expected 1 or more", op);
        Arguments.Require(Beta1 is >= 0 and < 1 && Beta2 is >= 0 and < 1, $"betas {Beta1} and {Beta2}, expected at least 0 and less than 1", op);
    }
}

/// <summary>One parameter tensor of a step; all four views have the same length.</summary>
/// <param name="Parameter">p, updated.</param>
/// <param name="Gradient">g, read.</param>
/// <param name="Mean">m, updated.</param>
/// <param name="Variance">v, updated.</param>
public readonly record struct AdamTensor(View<float> Parameter, View<float> Gradient, View<float> Mean, View<float> Variance)
{
    /// <exception cref="ArgumentException">The views differ in length.</exception>
    internal void Require(int number, [System.Runtime.CompilerServices.CallerMemberName] string op = "") =>
        Arguments.Require(Gradient.Length == Parameter.Length && Mean.Length == Parameter.Length && Variance.Length == Parameter.Length,
            $"tensor {number} has {Parameter.Length} elements, its gradient {Gradient.Length}, mean {Mean.Length} and variance {Variance.Length}; expected as many", op);
}
