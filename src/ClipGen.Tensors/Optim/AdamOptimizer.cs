using ClipGen.Kernels;
using ClipGen.Tensors.Nn;

namespace ClipGen.Tensors.Optim;

/// <summary>Adam or AdamW over groups of parameters, all tensors in one call per step, with PyTorch's arithmetic and state.</summary>
/// <remarks>
/// As in PyTorch, a parameter without a gradient is left alone and gets no state, and every parameter counts its own steps. Parameters are numbered through the groups in
/// their order: that is the order of a stored state.
/// </remarks>
public sealed class AdamOptimizer : IDisposable
{
    private readonly AdamMoments[] moments;

    /// <summary>An optimiser without state yet.</summary>
    /// <param name="groups">What to update, and with which weight decay.</param>
    /// <param name="settings">Constants of the method.</param>
    public AdamOptimizer(IReadOnlyList<ParameterGroup> groups, AdamSettings settings)
    {
        Groups = groups;
        Settings = settings;
        moments = [.. groups.SelectMany(group => group.Parameters.Select(parameter => new AdamMoments(parameter, group)))];
        LearningRate = settings.LearningRate;
    }

    /// <summary>The groups.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>Constants of the method.</summary>
    public AdamSettings Settings { get; }

    /// <summary>Learning rate of the next step.</summary>
    public double LearningRate { get; set; }

    /// <summary>State of every parameter, in the order of a stored state.</summary>
    public IReadOnlyList<AdamMoments> Moments => moments;

    /// <summary>One step with the gradients that the parameters hold.</summary>
    /// <param name="gradientScale">Factor on every gradient: 1 / (number of accumulated batches), or what clipping asks for.</param>
    public void Step(float gradientScale = 1)
    {
        // One call for all tensors that share their constants: one fork-join for the whole model.
        foreach (var alike in moments.Where(m => m.Parameter.Value.Gradient is not null).GroupBy(m => (m.Steps, m.Group.WeightDecay, m.Group.LearningRateScale)))
        {
            List<AdamTensor> tensors = [];
            IBackend? backend = null;
            foreach (var m in alike)
            {
                m.Begin();
                backend = m.Parameter.Value.Device.Backend;
                tensors.Add(new AdamTensor(m.Parameter.Value.Floats, m.Parameter.Value.Gradient!.Floats, m.Mean!.Floats, m.Variance!.Floats));
            }
            backend?.Adam(new AdamStep
            {
                Step = alike.Key.Steps + 1,
                LearningRate = LearningRate * alike.Key.LearningRateScale,
                Beta1 = Settings.Beta1,
                Beta2 = Settings.Beta2,
                Epsilon = Settings.Epsilon,
                WeightDecay = alike.Key.WeightDecay,
                Decoupled = Settings.Decoupled,
                GradientScale = gradientScale,
            }, tensors);
        }
    }

    /// <summary>Length of all gradients as one vector.</summary>
    public double GradientNorm()
    {
        var sum = 0.0;
        foreach (var m in moments)
        {
            if (m.Parameter.Value.Gradient is not { } gradient) continue;
            using var scope = new TensorScope();
            var square = gradient.Device.Empty(new Shape());
            gradient.Device.Backend.SumOfSquares(gradient.Floats, square.Floats);
            sum += square.ToFloats()[0];
        }
        return Math.Sqrt(sum);
    }

    /// <summary>
    /// A step with gradients that were added up over several batches: their mean, shortened to a greatest length. The gradients are freed. If their length is not finite, nothing is
    /// updated, so that the model that gave such a gradient can still be looked into.
    /// </summary>
    /// <param name="batches">Batches whose gradients were added.</param>
    /// <param name="clipNorm">Greatest length of the mean; 0 for no limit.</param>
    /// <returns>Length of the mean before it is shortened.</returns>
    public double StepOfMean(int batches = 1, double clipNorm = 0)
    {
        var norm = GradientNorm() / batches;
        if (double.IsFinite(norm)) Step((clipNorm > 0 && norm > clipNorm ? (float)(clipNorm / norm) : 1) / batches);
        ClearGradients();
        return norm;
    }

    /// <summary>Frees all gradients.</summary>
    public void ClearGradients()
    {
        foreach (var m in moments) m.Parameter.Value.ClearGradient();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var m in moments) m.Dispose();
    }
}

/// <summary>Constants of Adam.</summary>
public sealed record AdamSettings
{
    /// <summary>Learning rate to begin with.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>True for AdamW.</summary>
    public bool Decoupled { get; init; }
}

/// <summary>Parameters that share their weight decay.</summary>
/// <param name="Parameters">The parameters.</param>
/// <param name="WeightDecay">Their decay.</param>
/// <param name="LearningRateScale">Factor on the learning rate.</param>
public sealed record ParameterGroup(IReadOnlyList<Parameter> Parameters, double WeightDecay = 0, double LearningRateScale = 1);

/// <summary>What Adam keeps for one parameter.</summary>
public sealed class AdamMoments(Parameter parameter, ParameterGroup group) : IDisposable
{
    /// <summary>The parameter.</summary>
    public Parameter Parameter { get; } = parameter;

    /// <summary>Its group.</summary>
    public ParameterGroup Group { get; } = group;

    /// <summary>Steps it took.</summary>
    public long Steps { get; private set; }

    /// <summary>First moment (PyTorch: <c>exp_avg</c>), in the parameter's layout here; null before the first step.</summary>
    public Tensor? Mean { get; private set; }

    /// <summary>Second moment (<c>exp_avg_sq</c>).</summary>
    public Tensor? Variance { get; private set; }

    /// <summary>Sets a stored state.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="mean">First moment in PyTorch's layout.</param>
    /// <param name="variance">Second moment in PyTorch's layout.</param>
    /// <exception cref="ArgumentException">A moment has another number of elements than the parameter.</exception>
    public void Restore(long steps, ReadOnlySpan<float> mean, ReadOnlySpan<float> variance)
    {
        if (mean.Length != Parameter.Value.Count || variance.Length != Parameter.Value.Count)
            throw new ArgumentException($"moments of {mean.Length} and {variance.Length} values for {Parameter}");
        Dispose();
        Steps = steps;
        Mean = TensorScope.Detach(Parameter.Value.Device.From(Parameter.FromStored(mean), Parameter.Value.Shape));
        Variance = TensorScope.Detach(Parameter.Value.Device.From(Parameter.FromStored(variance), Parameter.Value.Shape));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Mean?.Dispose();
        Variance?.Dispose();
        (Mean, Variance) = (null, null);
    }

    internal void Begin()
    {
        Mean ??= TensorScope.Detach(Parameter.Value.Device.Zeros(Parameter.Value.Shape));
        Variance ??= TensorScope.Detach(Parameter.Value.Device.Zeros(Parameter.Value.Shape));
        Steps++;
    }
}
