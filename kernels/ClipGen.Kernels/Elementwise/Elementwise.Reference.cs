namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IElementwise
{
    /// <inheritdoc/>
    public void Activate(Activation activation, View<float> input, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var i = 0L; i < input.Length; i++) y[i] = Activated(activation, x[i]);
    }

    /// <inheritdoc/>
    public void Add(View<float> a, View<float> b, View<float> output)
    {
        Reals x = Real(a), z = Real(b), y = Real(output);
        for (var i = 0L; i < a.Length; i++) y[i] = x[i] + z[i % b.Length];
    }

    /// <inheritdoc/>
    public void Subtract(View<float> a, View<float> b, View<float> output)
    {
        Reals x = Real(a), z = Real(b), y = Real(output);
        for (var i = 0L; i < a.Length; i++) y[i] = x[i] - z[i % b.Length];
    }

    /// <inheritdoc/>
    public void Multiply(View<float> a, View<float> b, View<float> output)
    {
        Reals x = Real(a), z = Real(b), y = Real(output);
        for (var i = 0L; i < a.Length; i++) y[i] = x[i] * z[i % b.Length];
    }

    /// <inheritdoc/>
    public void Affine(View<float> input, float scale, float shift, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var i = 0L; i < input.Length; i++) y[i] = x[i] * scale + shift;
    }

    /// <inheritdoc/>
    public void Clamp(View<float> input, float low, float high, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var i = 0L; i < input.Length; i++) y[i] = Math.Min(Math.Max(x[i], low), high);
    }

    /// <inheritdoc/>
    public void Fill(float value, View<float> output)
    {
        var y = Real(output);
        for (var i = 0L; i < output.Length; i++) y[i] = value;
    }

    /// <inheritdoc/>
    public void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient)
    {
        Reals x = Real(input), dy = Real(outputGradient), dx = Real(inputGradient);
        for (var i = 0L; i < input.Length; i++) dx[i] = dy[i] * Derivative(activation, x[i]);
    }

    /// <inheritdoc/>
    public void Absolute(View<float> input, View<float> output)
    {
        Reals x = Real(input), y = Real(output);
        for (var i = 0L; i < input.Length; i++) y[i] = Math.Abs(x[i]);
    }

    /// <inheritdoc/>
    public void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient)
    {
        Reals x = Real(input), dy = Real(outputGradient), dx = Real(inputGradient);
        for (var i = 0L; i < input.Length; i++) dx[i] = x[i] > 0 ? dy[i] : x[i] < 0 ? -dy[i] : 0;
    }

    /// <inheritdoc/>
    public void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient)
    {
        Reals x = Real(input), dy = Real(outputGradient), dx = Real(inputGradient);
        for (var i = 0L; i < input.Length; i++) dx[i] = low <= x[i] && x[i] <= high ? dy[i] : 0;
    }

    /// <inheritdoc/>
    public void AddScaled(View<float> input, float scale, View<float> target)
    {
        Reals x = Real(input), y = Real(target);
        for (var i = 0L; i < input.Length; i++) y[i] += x[i] * scale;
    }

    /// <inheritdoc/>
    public void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output)
    {
        Reals x = Real(input), s = Real(scale), y = Real(output);
        for (var i = 0L; i < (long)rows * columns; i++) y[i] = x[i] * s[i / columns];
    }

    /// <summary>The pointwise functions in double.</summary>
    private static double Activated(Activation activation, double x) => activation switch
    {
        Activation.None => x,
        Activation.Relu => Math.Max(x, 0),
        Activation.LeakyRelu => x > 0 ? x : 0.2 * x,
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
        Activation.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation"),
    };

    /// <summary>Their derivatives in double; at a kink the value from the left.</summary>
    private static double Derivative(Activation activation, double x)
    {
        switch (activation)
        {
            case Activation.None: return 1;
            case Activation.Relu: return x > 0 ? 1 : 0;
            case Activation.LeakyRelu: return x > 0 ? 1 : 0.2;
            case Activation.Silu:
                var s = 1 / (1 + Math.Exp(-x));
                return s * (1 + x * (1 - s));
            case Activation.Gelu: return 0.5 * (1 + Erf(x / Math.Sqrt(2))) + x * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
            case Activation.QuickGelu: return Derivative(Activation.Silu, 1.702 * x);
            default: throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation");
        }
    }

    /// <summary>erf: its Taylor series up to |x| = 2.5, beyond that the continued fraction of erfc (Abramowitz and Stegun 7.1.5, 7.1.14); both to double accuracy.</summary>
    private static double Erf(double x)
    {
        if (double.IsNaN(x)) return x;
        var a = Math.Abs(x);
        if (a > 6) return Math.Sign(x);
        if (a < 2.5)
        {
            double term = x, sum = x;
            for (var n = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }
            return 2 / Math.Sqrt(Math.PI) * sum;
        }
        var fraction = a;
        for (var n = 60; n >= 1; n--) fraction = a + n / 2.0 / fraction;
        return Math.Sign(x) * (1 - Math.Exp(-a * a) / Math.Sqrt(Math.PI) / fraction);
    }
}
