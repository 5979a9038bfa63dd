namespace ClipGen.Kernels;

/// <summary>
/// What a matrix product or convolution does to each result before it is stored: <c>y = activation(x + bias) + residual</c>.
/// </summary>
public readonly struct Epilogue
{
    /// <summary>One value per output column (channel), or none.</summary>
    public View<float> Bias { get; init; }

    /// <summary>Pointwise function after the bias.</summary>
    public Activation Activation { get; init; }

    /// <summary>A tensor of the output's shape that is added last, or none. It may be the output itself.</summary>
    public View<float> Residual { get; init; }
}
