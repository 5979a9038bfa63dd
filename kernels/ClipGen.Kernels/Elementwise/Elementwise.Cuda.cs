using System.Runtime.CompilerServices;
using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IElementwise
{
    /// <inheritdoc/>
    public void Activate(Activation activation, View<float> input, View<float> output)
    {
        Activations.Require(activation);
        Map(input, output, new DeviceActivate((int)activation));
    }

    /// <inheritdoc/>
    public void ActivateBackward(Activation activation, View<float> input, View<float> outputGradient, View<float> inputGradient)
    {
        Activations.Require(activation);
        Gradient(input, outputGradient, inputGradient, new DeviceActivateGradient((int)activation));
    }

    /// <inheritdoc/>
    public void Affine(View<float> input, float scale, float shift, View<float> output) => Map(input, output, new DeviceAffine(scale, shift));

    /// <inheritdoc/>
    public void Clamp(View<float> input, float low, float high, View<float> output) => Map(input, output, new DeviceClamp(low, high));

    /// <inheritdoc/>
    public void Add(View<float> a, View<float> b, View<float> output) => Combine(a, b, output, default(DeviceAdd));

    /// <inheritdoc/>
    public void Subtract(View<float> a, View<float> b, View<float> output) => Combine(a, b, output, default(DeviceSubtract));

    /// <inheritdoc/>
    public void Multiply(View<float> a, View<float> b, View<float> output) => Combine(a, b, output, default(DeviceMultiply));

    /// <inheritdoc/>
    public void Fill(float value, View<float> output) => LaunchOver(ElementwiseCuda.Fill, output.Length, new FillArguments { Output = View(output), Value = value });

    /// <inheritdoc/>
    public void Absolute(View<float> input, View<float> output) => Map(input, output, default(DeviceAbsolute));

    /// <inheritdoc/>
    public void AbsoluteBackward(View<float> input, View<float> outputGradient, View<float> inputGradient) => Gradient(input, outputGradient, inputGradient, default(DeviceAbsoluteGradient));

    /// <inheritdoc/>
    public void ClampBackward(View<float> input, float low, float high, View<float> outputGradient, View<float> inputGradient) =>
        Gradient(input, outputGradient, inputGradient, new DeviceClampGradient(low, high));

    /// <inheritdoc/>
    public void AddScaled(View<float> input, float scale, View<float> target)
    {
        Arguments.Length(target, input.Length);
        if (input.Length > 0) Combine(input, target.Slice(0, input.Length), target, new DeviceAddScaled(scale));
    }

    /// <inheritdoc/>
    public void ScaleRows(View<float> input, View<float> scale, int rows, int columns, View<float> output)
    {
        Arguments.Require(rows >= 0 && columns >= 0, $"{rows} rows of {columns}");
        var count = (long)rows * columns;
        Arguments.Length(input, count);
        Arguments.Length(scale, rows);
        Arguments.Length(output, count);
        LaunchOver(ElementwiseCuda.ScaleRows, count, new ScaleRowsArguments { Input = View(input), Scale = View(scale), Output = View(output), Count = count, Columns = columns });
    }

    private void Map<M>(View<float> input, View<float> output, M map, [CallerMemberName] string op = "") where M : unmanaged, IDeviceMap
    {
        Arguments.Length(output, input.Length, nameof(output), op);
        LaunchOver(ElementwiseCuda.Map, input.Length, new MapArguments<M> { Input = View(input), Output = View(output), Map = map });
    }

    /// <summary>dx = gradient(x, dy), all of one length.</summary>
    private void Gradient<C>(View<float> input, View<float> outputGradient, View<float> inputGradient, C gradient, [CallerMemberName] string op = "") where C : unmanaged, IDeviceCombine
    {
        Arguments.Length(outputGradient, input.Length, nameof(outputGradient), op);
        Arguments.Length(inputGradient, input.Length, nameof(inputGradient), op);
        if (input.Length > 0) Combine(input, outputGradient.Slice(0, input.Length), inputGradient, gradient, op);
    }

    private void Combine<C>(View<float> a, View<float> b, View<float> output, C combine, [CallerMemberName] string op = "") where C : unmanaged, IDeviceCombine
    {
        Arguments.Length(output, a.Length, nameof(output), op);
        if (a.Length == 0) return;
        Arguments.Require(b.Length > 0 && a.Length % b.Length == 0, $"b has {b.Length} elements, which does not divide the {a.Length} of a", op);
        LaunchOver(ElementwiseCuda.Combine, a.Length, new CombineArguments<C> { A = View(a), B = View(b), Output = View(output), Combine = combine });
    }
}

/// <summary>A function of one value, with parameters.</summary>
internal interface IDeviceMap
{
    float Apply(float x);
}

/// <summary>A function of two values, with parameters.</summary>
internal interface IDeviceCombine
{
    float Apply(float a, float b);
}

internal struct MapArguments<M> where M : unmanaged, IDeviceMap
{
    public ArrayView<float> Input, Output;
    public M Map;
}

internal struct CombineArguments<C> where C : unmanaged, IDeviceCombine
{
    public ArrayView<float> A, B, Output;
    public C Combine;
}

internal struct FillArguments
{
    public ArrayView<float> Output;
    public float Value;
}

internal struct ScaleRowsArguments
{
    public ArrayView<float> Input, Scale, Output;
    public long Count;
    public int Columns;
}

/// <summary>Loops over all elements; every thread takes those that are a whole launch apart, so that neighbours read neighbours however an array is aligned, and reads four before it writes one: nothing else keeps the memory busy.</summary>
internal static class ElementwiseCuda
{
    /// <summary><c>y = map(x)</c>.</summary>
    [CudaKernel(typeof(DeviceActivate), typeof(DeviceAffine), typeof(DeviceClamp), typeof(DeviceAbsolute))]
    public static void Map<M>(MapArguments<M> a) where M : unmanaged, IDeviceMap
    {
        long i = GridStride.First, step = GridStride.Step;
        for (; i + 3 * step < a.Input.Length; i += 4 * step)
        {
            float x0 = a.Input[i], x1 = a.Input[i + step], x2 = a.Input[i + 2 * step], x3 = a.Input[i + 3 * step];
            a.Output[i] = a.Map.Apply(x0);
            a.Output[i + step] = a.Map.Apply(x1);
            a.Output[i + 2 * step] = a.Map.Apply(x2);
            a.Output[i + 3 * step] = a.Map.Apply(x3);
        }
        for (; i < a.Input.Length; i += step) a.Output[i] = a.Map.Apply(a.Input[i]);
    }

    /// <summary><c>y = combine(a, b)</c>, b repeated.</summary>
    [CudaKernel(typeof(DeviceAdd), typeof(DeviceSubtract), typeof(DeviceMultiply), typeof(DeviceAddScaled), typeof(DeviceActivateGradient), typeof(DeviceAbsoluteGradient), typeof(DeviceClampGradient))]
    public static void Combine<C>(CombineArguments<C> a) where C : unmanaged, IDeviceCombine
    {
        long i = GridStride.First, step = GridStride.Step;
        if (a.B.Length == a.A.Length)
        {
            for (; i + 3 * step < a.A.Length; i += 4 * step)
            {
                float x0 = a.A[i], x1 = a.A[i + step], x2 = a.A[i + 2 * step], x3 = a.A[i + 3 * step];
                float y0 = a.B[i], y1 = a.B[i + step], y2 = a.B[i + 2 * step], y3 = a.B[i + 3 * step];
                a.Output[i] = a.Combine.Apply(x0, y0);
                a.Output[i + step] = a.Combine.Apply(x1, y1);
                a.Output[i + 2 * step] = a.Combine.Apply(x2, y2);
                a.Output[i + 3 * step] = a.Combine.Apply(x3, y3);
            }
            for (; i < a.A.Length; i += step) a.Output[i] = a.Combine.Apply(a.A[i], a.B[i]);
            return;
        }
        // The place in b goes round without a division for every element: a card has none for 64 bits.
        long at = i % a.B.Length, further = step % a.B.Length;
        for (; i < a.A.Length; i += step)
        {
            a.Output[i] = a.Combine.Apply(a.A[i], a.B[at]);
            at += further;
            if (at >= a.B.Length) at -= a.B.Length;
        }
    }

    /// <summary><c>y = value</c>.</summary>
    [CudaKernel]
    public static void Fill(FillArguments a)
    {
        for (var i = GridStride.First; i < a.Output.Length; i += GridStride.Step) a.Output[i] = a.Value;
    }

    /// <summary><c>y[r, c] = x[r, c] · scale[r]</c>.</summary>
    [CudaKernel]
    public static void ScaleRows(ScaleRowsArguments a)
    {
        for (var i = GridStride.First; i < a.Count; i += GridStride.Step) a.Output[i] = a.Input[i] * a.Scale[i / a.Columns];
    }
}

internal readonly struct DeviceActivate(int activation) : IDeviceMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float x) => DeviceActivation.Apply(activation, x);
}

internal readonly struct DeviceAffine(float scale, float shift) : IDeviceMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float x) => x * scale + shift;
}

internal readonly struct DeviceClamp(float low, float high) : IDeviceMap
{
    // Written so that NaN stays NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float x) => x < low ? low : x > high ? high : x;
}

internal readonly struct DeviceAbsolute : IDeviceMap
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float x) => MathF.Abs(x);
}

internal readonly struct DeviceAdd : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => a + b;
}

internal readonly struct DeviceSubtract : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => a - b;
}

internal readonly struct DeviceMultiply : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => a * b;
}

/// <summary>x · scale + y.</summary>
internal readonly struct DeviceAddScaled(float scale) : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => a * scale + b;
}

/// <summary>dy · activation'(x).</summary>
internal readonly struct DeviceActivateGradient(int activation) : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => b * DeviceActivation.Derivative(activation, a);
}

/// <summary>dy · sign(x).</summary>
internal readonly struct DeviceAbsoluteGradient : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => a > 0 ? b : a < 0 ? -b : 0;
}

/// <summary>dy where low ≤ x ≤ high, else 0; nothing passes a NaN.</summary>
internal readonly struct DeviceClampGradient(float low, float high) : IDeviceCombine
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Apply(float a, float b) => a >= low && a <= high ? b : 0;
}
