namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IElementwise
{
    // Elements of one part: large enough that a fork-join is a small share, small enough to balance two cores.
    private const int ElementwisePart = 1 << 16;

    /// <inheritdoc/>
    public void Activate(Activation activation, View<float> input, View<float> output)
    {
        var body = new ActivateAll(this, input, output);
        Activations.Dispatch(activation, ref body);
    }

    /// <inheritdoc/>
    public void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient)
    {
        var body = new ActivateBackwardAll(this, input, outputGradient, inputGradient);
        Activations.Dispatch(activation, ref body);
    }

    /// <inheritdoc/>
    public void Affine(View<float> input, float scale, float shift, View<float> output) => Map(input, output, new MapAffine(scale, shift));

    /// <inheritdoc/>
    public void Clamp(View<float> input, float low, float high, View<float> output) => Map(input, output, new MapClamp(low, high));

    /// <inheritdoc/>
    public void Add(View<float> a, View<float> b, View<float> output) => Combine(a, b, output, new AddPair());

    /// <inheritdoc/>
    public void Subtract(View<float> a, View<float> b, View<float> output) => Combine(a, b, output, new SubtractPair());

    /// <inheritdoc/>
    public void Multiply(View<float> a, View<float> b, View<float> output) => Combine(a, b, output, new MultiplyPair());

    /// <inheritdoc/>
    public void Fill(float value, View<float> output) => Span(output).Fill(value);

    /// <inheritdoc/>
    public void Absolute(View<float> input, View<float> output) => Map(input, output, new MapAbsolute());

    /// <inheritdoc/>
    public void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient) => Gradient(input, outputGradient, inputGradient, new AbsoluteGradient());

    /// <inheritdoc/>
    public void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient) =>
        Gradient(input, outputGradient, inputGradient, new ClampGradient(low, high));

    /// <inheritdoc/>
    public void AddScaled(View<float> input, float scale, View<float> target)
    {
        Arguments.Length(target, input.Length);
        if (input.Length > 0) Combine(input, target.Slice(0, input.Length), target, new AddScaledPair(scale));
    }

    /// <inheritdoc/>
    public void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns}");
        Arguments.Length(input, (long)rows * columns);
        Arguments.Length(scale, rows);
        Arguments.Length(output, (long)rows * columns);
        if (columns == 0) return;
        float* x = Pointer(input), s = Pointer(scale), y = Pointer(output);
        var level = Simd;
        var rowsPerPart = Math.Max(1, ElementwisePart / columns);
        Workers.For((int)(((long)rows + rowsPerPart - 1) / rowsPerPart), part =>
        {
            var end = Math.Min(rows, (part + 1L) * rowsPerPart);
            for (var r = (long)part * rowsPerPart; r < end; r++) ElementwiseKernel.Map(level, x + r * columns, columns, new MapScale(s[r]), y + r * columns);
        });
    }

    private void Map<M>(View<float> input, View<float> output, M map, [System.Runtime.CompilerServices.CallerMemberName] string op = "") where M : struct, IMap
    {
        Arguments.Length(output, input.Length, nameof(output), op);
        float* x = Pointer(input), y = Pointer(output);
        var level = Simd;
        var count = input.Length;
        Workers.For(checked((int)((count + ElementwisePart - 1) / ElementwisePart)), part =>
        {
            var first = (long)part * ElementwisePart;
            var length = (int)Math.Min(ElementwisePart, count - first);
            ElementwiseKernel.Map(level, x + first, length, map, y + first);
        });
    }

    /// <summary>dx = gradient(x, dy), all of one length.</summary>
    private void Gradient<C>(View<float> input, View<float> outputGradient, View<float> inputGradient, C gradient, [System.Runtime.CompilerServices.CallerMemberName] string op = "") where C : struct, ICombine
    {
        Arguments.Length(outputGradient, input.Length, nameof(outputGradient), op);
        Arguments.Length(inputGradient, input.Length, nameof(inputGradient), op);
        if (input.Length > 0) Combine(input, outputGradient.Slice(0, input.Length), inputGradient, gradient, op);
    }

    private void Combine<C>(View<float> a, View<float> b, View<float> output, C combine, [System.Runtime.CompilerServices.CallerMemberName] string op = "") where C : struct, ICombine
    {
        Arguments.Length(output, a.Length, nameof(output), op);
        if (a.Length == 0) return;
        Arguments.Require(b.Length > 0 && a.Length % b.Length == 0, $"b has {b.Length} elements, which does not divide the {a.Length} of a", op);
        float* x = Pointer(a), z = Pointer(b), y = Pointer(output);
        var level = Simd;
        long count = a.Length, period = b.Length;
        Workers.For(checked((int)((count + ElementwisePart - 1) / ElementwisePart)), part =>
        {
            var position = (long)part * ElementwisePart;
            var end = Math.Min(count, position + ElementwisePart);
            while (position < end)
            {
                // Runs in which b advances without wrapping around.
                var inside = position % period;
                var length = (int)Math.Min(end - position, period - inside);
                ElementwiseKernel.Combine(level, x + position, z + inside, length, combine, y + position);
                position += length;
            }
        });
    }

    private readonly struct ActivateAll(CpuBackend backend, View<float> input, View<float> output) : IActivationVisitor
    {
        public void Visit<A>() where A : struct, IActivation => backend.Map(input, output, new MapActivation<A>(), nameof(Activate));
    }

    private readonly struct ActivateBackwardAll(CpuBackend backend, View<float> input, View<float> outputGradient, View<float> inputGradient) : IActivationVisitor
    {
        public void Visit<A>() where A : struct, IActivation => backend.Gradient(input, outputGradient, inputGradient, new ActivationGradient<A>(), nameof(ActivateBackward));
    }
}
