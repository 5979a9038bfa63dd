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
}
