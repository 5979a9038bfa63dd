using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Pointwise arithmetic.</summary>
public static class ElementwiseOp
{
    /// <summary>activation(x). Gradient: dy · activation'(x), at a kink as <see cref="IElementwise.ActivateBackward"/> says.</summary>
    public static Tensor Activate(this Tensor x, Activation activation)
    {
        var output = Map(x, (b, i, o) => b.Activate(activation, i, o));
        if (Tape.Wants(x)) Record("Activate", output, x, (b, input, dy, dx) => b.ActivateBackward(activation, input, dy, dx));
        return output;
    }

    /// <summary>|x|. Gradient: dy · sign(x), 0 at 0.</summary>
    public static Tensor Absolute(this Tensor x)
    {
        var output = Map(x, (b, i, o) => b.Absolute(i, o));
        if (Tape.Wants(x)) Record("Absolute", output, x, (b, input, dy, dx) => b.AbsoluteBackward(input, dy, dx));
        return output;
    }

    /// <summary>min(max(x, low), high). Gradient: dy inside the bounds, these included, 0 outside.</summary>
    public static Tensor Clamp(this Tensor x, float low, float high)
    {
        var output = Map(x, (b, i, o) => b.Clamp(i, low, high, o));
        if (Tape.Wants(x)) Record("Clamp", output, x, (b, input, dy, dx) => b.ClampBackward(input, low, high, dy, dx));
        return output;
    }

    /// <summary>x · scale + shift. Gradient: dy · scale.</summary>
    public static Tensor Affine(this Tensor x, float scale, float shift)
    {
        var output = Map(x, (b, i, o) => b.Affine(i, scale, shift, o));
        if (Tape.Wants(x))
            Tape.Record("Affine", output, [x], [], (dy, _, gradients) =>
            {
                if (scale == 1) gradients.Pass(0, dy);
                else gradients.Add(0, Map(dy, (b, i, o) => b.Affine(i, scale, 0, o)));
            });
        return output;
    }

    /// <summary>a + b; b may be a trailing part of a's shape and is then repeated. Gradients: dy, and dy summed over the repetitions.</summary>
    public static Tensor Add(this Tensor a, Tensor b)
    {
        var output = Combine("Add", a, b, (k, x, y, o) => k.Add(x, y, o));
        if (Tape.Wants(a, b))
            Tape.Record("Add", output, [a, b], [], (dy, _, gradients) =>
            {
                gradients.Pass(0, dy);
                if (gradients.Needs(1)) gradients.Add(1, SumRepetitions(dy, b.Count));
            });
        return output;
    }

    /// <summary>a − b, b repeated as in <see cref="Add"/>.</summary>
    public static Tensor Subtract(this Tensor a, Tensor b)
    {
        var output = Combine("Subtract", a, b, (k, x, y, o) => k.Subtract(x, y, o));
        if (Tape.Wants(a, b))
            Tape.Record("Subtract", output, [a, b], [], (dy, _, gradients) =>
            {
                gradients.Pass(0, dy);
                if (gradients.Needs(1)) gradients.Add(1, SumRepetitions(dy, b.Count).Into(sum => Map(sum, (k, i, o) => k.Affine(i, -1, 0, o))));
            });
        return output;
    }

    /// <summary>a · b, b repeated as in <see cref="Add"/>. Gradients: dy · b, and dy · a summed over the repetitions.</summary>
    public static Tensor Multiply(this Tensor a, Tensor b)
    {
        var output = Combine("Multiply", a, b, (k, x, y, o) => k.Multiply(x, y, o));
        if (Tape.Wants(a, b))
            Tape.Record("Multiply", output, [a, b], [a, b], (dy, saved, gradients) =>
            {
                if (gradients.Needs(0)) gradients.Add(0, dy.Multiply(saved[1]));
                if (gradients.Needs(1)) gradients.Add(1, dy.Multiply(saved[0]).Into(product => SumRepetitions(product, saved[1].Count)));
            });
        return output;
    }

    /// <summary><c>y = x · exp(s)</c> for a single learned number s, as CLIP scales its similarities. Gradients: <c>dx = dy · exp(s)</c>, <c>ds = Σ dy · y</c>.</summary>
    public static Tensor MultiplyExp(this Tensor x, Tensor s)
    {
        ShapeException.Require(s.Count == 1, "MultiplyExp", $"scale {s.Shape} must be one number");
        var factor = (float)Math.Exp(s.ToFloats()[0]);
        var output = Map(x, (b, i, o) => b.Affine(i, factor, 0, o));
        if (Tape.Wants(x, s))
            Tape.Record("MultiplyExp", output, [x, s], [output], (dy, saved, gradients) =>
            {
                if (gradients.Needs(0)) gradients.Add(0, Map(dy, (b, i, o) => b.Affine(i, factor, 0, o)));
                if (gradients.Needs(1)) gradients.Add(1, dy.Multiply(saved[0]).Into(product => SumRepetitions(product, 1)));
            });
        return output;
    }

    /// <summary>The same values, through which no gradient flows.</summary>
    public static Tensor StopGradient(this Tensor x) => TensorScope.Adopted(x.Share());

    /// <summary>
    /// The straight-through estimator (Bengio et al. 2013): the value is that of <paramref name="chosen"/>, computed as <c>x + (chosen − x)</c> as the reference does;
    /// the gradient goes to x as if the choice were the identity.
    /// </summary>
    public static Tensor StraightThrough(this Tensor x, Tensor chosen)
    {
        ShapeException.Require(x.Shape == chosen.Shape, "StraightThrough", $"{x.Shape} and {chosen.Shape} differ");
        Tensor output;
        using (Tape.Pause()) output = x.Add(chosen.Subtract(x));
        if (Tape.Wants(x)) Tape.Record("StraightThrough", output, [x], [], static (dy, _, gradients) => gradients.Pass(0, dy));
        return output;
    }

    /// <summary>Drops elements and enlarges the rest; see <see cref="DropoutMask"/>. Gradient: the same on dy.</summary>
    public static Tensor Dropout(this Tensor x, DropoutMask mask)
    {
        if (mask.Probability == 0) return x;
        var output = Map(x, (b, i, o) => b.Dropout(mask, i, o));
        if (Tape.Wants(x)) Tape.Record("Dropout", output, [x], [], (dy, _, gradients) => gradients.Add(0, Map(dy, (b, i, o) => b.Dropout(mask, i, o))));
        return output;
    }

    /// <summary>Sum of the repetitions of a part of <paramref name="count"/> elements: [..., count] -> [count].</summary>
    private static Tensor SumRepetitions(Tensor dy, long count)
    {
        if (dy.Count == count) return dy.Share();
        var sum = dy.Device.Empty(new Shape(checked((int)count)));
        // One number: a single long row, which is what the row sum splits well.
        if (count == 1) dy.Device.Backend.SumRows(dy.Floats, 1, checked((int)dy.Count), sum.Floats);
        else dy.Device.Backend.SumColumns(dy.Floats, checked((int)(dy.Count / count)), (int)count, sum.Floats);
        return sum;
    }

    private static void Record(string op, Tensor output, Tensor x, Action<IBackend, View<float>, View<float>, View<float>> backward) =>
        Tape.Record(op, output, [x], [x], (dy, saved, gradients) =>
        {
            var dx = gradients.Empty(0);
            backward(dy.Device.Backend, saved[0].Floats, dy.Floats, dx.Floats);
            gradients.Add(0, dx);
        });

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
