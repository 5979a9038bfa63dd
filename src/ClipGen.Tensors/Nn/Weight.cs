using ClipGen.Kernels;

namespace ClipGen.Tensors.Nn;

/// <summary>How a model's weights are held.</summary>
public enum WeightForm
{
    /// <summary>In the backend's own layout, for inference: fastest, and no gradient flows.</summary>
    Packed,

    /// <summary>As tensors that stay as they are, but let gradients through to what is in front of them: a frozen model inside a loss.</summary>
    Plain,

    /// <summary>As parameters.</summary>
    Trainable,
}

/// <summary>The matrix of a layer, [N, K]: packed for inference, or a tensor where gradients flow.</summary>
public sealed class Weight : IDisposable
{
    private readonly PackedMatrix? packed;
    private readonly Tensor? plain;

    internal Weight(PackedMatrix packed) => (this.packed, N, K) = (packed, packed.N, packed.K);

    internal Weight(Tensor plain, int n, int k) => (this.plain, N, K) = (plain, n, k);

    /// <summary>Rows: output features.</summary>
    public int N { get; }

    /// <summary>Columns: input features.</summary>
    public int K { get; }

    /// <summary><c>activation(x · Wᵀ + bias) + residual</c>.</summary>
    public Tensor Multiply(Tensor x, Tensor? bias = null, Activation activation = Activation.None, Tensor? residual = null) =>
        packed is not null ? x.MatMul(packed, bias, activation, residual) : x.MatMulTransposed(plain!, bias, activation, residual);

    /// <summary><c>activation(conv(x) + bias) + residual</c> with the rows as square filters.</summary>
    public Tensor Convolve(Tensor x, int kernel, Tensor? bias, int stride, int padBefore, int padAfter, Activation activation, Tensor? residual, int upsample) =>
        packed is not null
            ? x.Conv2d(packed, kernel, bias, stride, padBefore, padAfter, activation, residual, upsample)
            : x.Conv2d(plain!, kernel, bias, stride, padBefore, padAfter, activation, residual, upsample);

    /// <summary>The tensor behind it.</summary>
    /// <exception cref="InvalidOperationException">It is packed.</exception>
    public Tensor Plain => plain ?? throw new InvalidOperationException("this weight was packed for inference");

    /// <inheritdoc/>
    public void Dispose()
    {
        packed?.Dispose();
        plain?.Dispose();
    }
}
