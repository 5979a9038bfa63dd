namespace ClipGen.Kernels;

/// <summary>Pointwise arithmetic. Outputs may be one of the inputs.</summary>
public interface IElementwise
{
    /// <summary>y = activation(x).</summary>
    void Activate(Activation activation, View<float> input, View<float> output);

    /// <summary>y = a + b, with b repeated when it is shorter (its length divides a's: one row added to every row, one table to every sequence).</summary>
    void Add(View<float> a, View<float> b, View<float> output);

    /// <summary>y = a − b, b repeated as in <see cref="Add"/>.</summary>
    void Subtract(View<float> a, View<float> b, View<float> output);

    /// <summary>y = a · b, b repeated as in <see cref="Add"/>.</summary>
    void Multiply(View<float> a, View<float> b, View<float> output);

    /// <summary>y = x · scale + shift.</summary>
    void Affine(View<float> input, float scale, float shift, View<float> output);

    /// <summary>y = min(max(x, low), high); NaN stays NaN.</summary>
    void Clamp(View<float> input, float low, float high, View<float> output);

    /// <summary>y = value everywhere.</summary>
    void Fill(float value, View<float> output);

    /// <summary>dx = dy · activation'(x); at a kink the derivative PyTorch takes (0 for ReLU at 0, 0.2 for LeakyReLU at 0). dx may be dy.</summary>
    void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient);

    /// <summary>y = |x|.</summary>
    void Absolute(View<float> input, View<float> output);

    /// <summary>dx = dy · sign(x), 0 at 0 and where x is NaN. dx may be dy.</summary>
    void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient);

    /// <summary>dx = dy where low &lt;= x &lt;= high, else 0, as where x is NaN. dx may be dy.</summary>
    void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient);

    /// <summary>y = y + x · scale: how gradients are accumulated.</summary>
    void AddScaled(View<float> input, float scale, View<float> target);

    /// <summary>y[r, c] = x[r, c] · scale[r]: every row by its own factor.</summary>
    void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output);
}
