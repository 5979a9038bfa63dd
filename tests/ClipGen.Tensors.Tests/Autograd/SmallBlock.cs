using ClipGen.Kernels;

namespace ClipGen.Tensors.Tests.Autograd;

/// <summary>A transformer block of eight channels, whose input is used three times and whose gain twice.</summary>
internal sealed class SmallBlock : IDisposable
{
    public const int Width = 8;
    private readonly Tensor beta, attentionIn, first, firstBias, second;

    public SmallBlock(Device device, int seed = 7)
    {
        Gamma = Parameter(Width);
        beta = Parameter(Width);
        attentionIn = Parameter(3 * Width, Width);
        first = Parameter(2 * Width, Width);
        firstBias = Parameter(2 * Width);
        second = Parameter(Width, 2 * Width);

        Tensor Parameter(params int[] axes)
        {
            var shape = new Shape(axes);
            var parameter = TensorScope.Detach(device.From(GradientInput.Uniform(seed++, shape.Count, 1), shape));
            parameter.RequiresGrad = true;
            return parameter;
        }
    }

    /// <summary>Gain of both norms.</summary>
    public Tensor Gamma { get; }

    /// <summary>All parameters.</summary>
    public Tensor[] Parameters => [Gamma, beta, attentionIn, first, firstBias, second];

    /// <summary>x [N, T, 8] -> [N, T, 8].</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = new TensorScope();
        var attended = x.LayerNorm(Gamma, beta).MatMulTransposed(attentionIn).SelfAttention(2, causal: true).Add(x);
        var hidden = attended.LayerNorm(Gamma, beta).MatMulTransposed(first, firstBias, Activation.Gelu);
        return scope.Keep(hidden.MatMulTransposed(second, residual: attended).Add(x));
    }

    public void ClearGradients()
    {
        foreach (var parameter in Parameters) parameter.ClearGradient();
    }

    public void Dispose()
    {
        foreach (var parameter in Parameters) parameter.Dispose();
    }
}
