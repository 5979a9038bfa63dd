using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

public sealed unsafe partial class CpuBackend : IElementwise
{
    // Elements of one part: large enough that a fork-join is a small share, small enough to balance two cores.
    private const int ElementwisePart = 1 << 16;

    /// <inheritdoc/>
    public void Activate(Activation activation, View<float> input, View<float> output)
    {
        switch (activation)
        {
            case Activation.None: Map(input, output, new MapActivation<Identity>()); break;
            case Activation.Relu: Map(input, output, new MapActivation<Relu>()); break;
            case Activation.LeakyRelu: Map(input, output, new MapActivation<LeakyRelu>()); break;
            case Activation.Silu: Map(input, output, new MapActivation<Silu>()); break;
            case Activation.Gelu: Map(input, output, new MapActivation<Gelu>()); break;
            case Activation.QuickGelu: Map(input, output, new MapActivation<QuickGelu>()); break;
            default: throw new ArgumentOutOfRangeException(nameof(activation), activation, "unknown activation");
        }
    }

    /// <inheritdoc/>
    public void Affine(View<float> input, float scale, float shift, View<float> output) => Map(input, output, new MapAffine(scale, shift));

    /// <inheritdoc/>
    public void Clamp(View<float> input, float low, float high, View<float> output) => Map(input, output, new MapClamp(low, high));

    /// <inheritdoc/>
    public void Add(View<float> a, View<float> b, View<float> output) => Combine<AddPair>(a, b, output);

    /// <inheritdoc/>
    public void Subtract(View<float> a, View<float> b, View<float> output) => Combine<SubtractPair>(a, b, output);

    /// <inheritdoc/>
    public void Multiply(View<float> a, View<float> b, View<float> output) => Combine<MultiplyPair>(a, b, output);

    /// <inheritdoc/>
    public void Fill(float value, View<float> output) => Span(output).Fill(value);

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
            if (level == SimdLevel.Avx512) ElementwiseKernel.Map<Simd512, Vector512<float>, M>(x + first, length, map, y + first);
            else if (level == SimdLevel.Avx2) ElementwiseKernel.Map<Simd256, Vector256<float>, M>(x + first, length, map, y + first);
            else ElementwiseKernel.Map<Simd128, Vector128<float>, M>(x + first, length, map, y + first);
        });
    }

    private void Combine<C>(View<float> a, View<float> b, View<float> output, [System.Runtime.CompilerServices.CallerMemberName] string op = "") where C : struct, ICombine
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
                ElementwiseKernel.Combine<C>(level, x + position, z + inside, length, y + position);
                position += length;
            }
        });
    }
}
