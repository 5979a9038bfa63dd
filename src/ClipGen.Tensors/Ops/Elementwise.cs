using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Pointwise arithmetic.</summary>
public static class ElementwiseOp
{
    /// <summary>activation(x).</summary>
    public static Tensor Activate(this Tensor x, Activation activation) => Map(x, (b, i, o) => b.Activate(activation, i, o));

    /// <summary>x · scale + shift.</summary>
    public static Tensor Affine(this Tensor x, float scale, float shift) => Map(x, (b, i, o) => b.Affine(i, scale, shift, o));

    /// <summary>min(max(x, low), high).</summary>
    public static Tensor Clamp(this Tensor x, float low, float high) => Map(x, (b, i, o) => b.Clamp(i, low, high, o));

    /// <summary>a + b; b may be a trailing part of a's shape and is then repeated.</summary>
    public static Tensor Add(this Tensor a, Tensor b) => Combine("Add", a, b, (k, x, y, o) => k.Add(x, y, o));

    /// <summary>a − b, b repeated as in <see cref="Add"/>.</summary>
    public static Tensor Subtract(this Tensor a, Tensor b) => Combine("Subtract", a, b, (k, x, y, o) => k.Subtract(x, y, o));

    /// <summary>a · b, b repeated as in <see cref="Add"/>.</summary>
    public static Tensor Multiply(this Tensor a, Tensor b) => Combine("Multiply", a, b, (k, x, y, o) => k.Multiply(x, y, o));

    private static Tensor Map(Tensor x, Action<IBackend, View<float>, View<float>> kernel)
    {
        var output = x.Device.Empty(x.Shape);
        kernel(x.Device.Backend, x.Floats, output.Floats);
        return output;
    }

    private static Tensor Combine(string op, Tensor a, Tensor b, Action<IBackend, View<float>, View<float>, View<float>> kernel)
    {
        ShapeException.Require(b.Shape.Rank <= a.Shape.Rank && a.Shape.Axes[^b.Shape.Rank..].SequenceEqual(b.Shape.Axes), op, $"{b.Shape} is not {a.Shape} or a trailing part of it");
        var output = a.Device.Empty(a.Shape);
        kernel(a.Device.Backend, a.Floats, b.Floats, output.Floats);
        return output;
    }
}
