using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>One tensor's arrays.</summary>
internal readonly unsafe struct AdamArrays(float* parameter, float* gradient, float* mean, float* variance, long length)
{
    public readonly float* Parameter = parameter, Gradient = gradient, Mean = mean, Variance = variance;
    public readonly long Length = length;
}

/// <summary>A step's numbers: computed in double, then rounded to the float that multiplies.</summary>
internal readonly struct AdamFactors(in AdamStep step)
{
    public readonly bool Decoupled = step.Decoupled;
    public readonly float GradientScale = step.GradientScale;

    /// <summary>What the decay multiplies the parameter by, before the step (decoupled) or into the gradient.</summary>
    public readonly float Decay = (float)(step.Decoupled ? 1 - step.LearningRate * step.WeightDecay : step.WeightDecay);

    public readonly float MeanShare = (float)(1 - step.Beta1);
    public readonly float VarianceKept = (float)step.Beta2;
    public readonly float VarianceShare = (float)(1 - step.Beta2);
    public readonly float RootCorrection = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
    public readonly float Epsilon = (float)step.Epsilon;
    public readonly float StepSize = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
}

/// <summary>
/// The update of a stretch of elements in one pass. Products and sums are rounded one by one, in PyTorch's order, and not fused: so an element's bits are the same at every
/// level and at every place of a vector.
/// </summary>
internal static unsafe class AdamKernel
{
    /// <summary>Updates at most <paramref name="count"/> elements from <paramref name="first"/> on.</summary>
    public static void Update(SimdLevel level, in AdamFactors factors, in AdamArrays arrays, long first, int count)
    {
        var length = (int)Math.Min(count, arrays.Length - first);
        float* p = arrays.Parameter + first, g = arrays.Gradient + first, m = arrays.Mean + first, v = arrays.Variance + first;
        if (level == SimdLevel.Avx512) Update<Simd512, Vector512<float>>(factors, p, g, m, v, length);
        else if (level == SimdLevel.Avx2) Update<Simd256, Vector256<float>>(factors, p, g, m, v, length);
        else Update<Simd128, Vector128<float>>(factors, p, g, m, v, length);
    }

    private static void Update<S, V>(in AdamFactors factors, float* parameter, float* gradient, float* mean, float* variance, int count) where S : struct, ISimd<V> where V : struct
    {
        var decoupled = factors.Decoupled;
        V scale = S.Broadcast(factors.GradientScale), decay = S.Broadcast(factors.Decay), meanShare = S.Broadcast(factors.MeanShare);
        V kept = S.Broadcast(factors.VarianceKept), share = S.Broadcast(factors.VarianceShare), root = S.Broadcast(factors.RootCorrection);
        V epsilon = S.Broadcast(factors.Epsilon), size = S.Broadcast(factors.StepSize);
        var i = 0;
        for (; i + S.Count <= count; i += S.Count)
        {
            var (p, m, v) = (S.Load(parameter + i), S.Load(mean + i), S.Load(variance + i));
            Element(S.Load(gradient + i), ref p, ref m, ref v);
            S.Store(p, parameter + i);
            S.Store(m, mean + i);
            S.Store(v, variance + i);
        }
        if (i < count)
        {
            var rest = count - i;
            var (p, m, v) = (S.LoadPartial(parameter + i, rest), S.LoadPartial(mean + i, rest), S.LoadPartial(variance + i, rest));
            Element(S.LoadPartial(gradient + i, rest), ref p, ref m, ref v);
            S.StorePartial(p, parameter + i, rest);
            S.StorePartial(m, mean + i, rest);
            S.StorePartial(v, variance + i, rest);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Element(V g, ref V p, ref V m, ref V v)
        {
            g = S.Multiply(g, scale);
            if (decoupled) p = S.Multiply(p, decay);
            else g = S.Add(g, S.Multiply(decay, p));
            m = S.Add(m, S.Multiply(S.Subtract(g, m), meanShare));
            v = S.Add(S.Multiply(v, kept), S.Multiply(S.Multiply(share, g), g));
            p = S.Subtract(p, S.Divide(S.Multiply(size, m), S.Add(S.Divide(S.Sqrt(v), root), epsilon)));
        }
    }
}
