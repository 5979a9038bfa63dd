using ClipGen.Kernels;

namespace ClipGen.Tensors.Nn;

/// <summary><c>y = x · Wᵀ + b</c>. Weights <c>weight</c> [N, K] and, if present, <c>bias</c> [N].</summary>
public sealed class Linear : Module
{
    private readonly Weight weight;
    private readonly Tensor? bias;

    /// <summary>Loads the layer.</summary>
    /// <param name="weights">Loader at the layer's path.</param>
    /// <param name="inputs">K.</param>
    /// <param name="outputs">N.</param>
    /// <param name="hasBias">Whether it has a bias.</param>
    /// <param name="weightName">Name of the weight; attention's packed projection is called <c>in_proj_weight</c>.</param>
    /// <param name="biasName">Name of the bias.</param>
    public Linear(WeightLoader weights, int inputs, int outputs, bool hasBias = true, string weightName = "weight", string biasName = "bias")
        : base(weights.Path)
    {
        weight = Own(weights.Matrix(weightName, outputs, inputs));
        if (hasBias) bias = Own(weights.Tensor(biasName, outputs));
    }

    /// <summary>Output features.</summary>
    public int Outputs => weight.N;

    /// <summary><c>activation(x Wᵀ + b) + residual</c>.</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None, Tensor? residual = null)
    {
        using var span = Entered(x);
        return Trace.Output(Path, weight.Multiply(x, bias, activation, residual));
    }
}
