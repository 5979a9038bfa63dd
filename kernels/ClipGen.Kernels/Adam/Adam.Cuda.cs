using ILGPU;

namespace ClipGen.Kernels;

public sealed partial class CudaBackend : IAdam
{
    /// <inheritdoc/>
    public void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors)
    {
        step.Require();
        for (var i = 0; i < tensors.Count; i++) tensors[i].Require(i);
        var factors = new AdamFactors(step);
        // Several tensors a launch, a row of groups for each: a model has hundreds, most of them small.
        for (var first = 0; first < tensors.Count; first += AdamCuda.TensorsTogether)
        {
            var arguments = new AdamArguments
            {
                GradientScale = factors.GradientScale,
                Decay = factors.Decay,
                MeanShare = factors.MeanShare,
                VarianceKept = factors.VarianceKept,
                VarianceShare = factors.VarianceShare,
                StepSize = factors.StepSize,
                RootCorrection = factors.RootCorrection,
                Epsilon = factors.Epsilon,
                Decoupled = factors.Decoupled ? 1 : 0,
            };
            var longest = 0L;
            var count = Math.Min(AdamCuda.TensorsTogether, tensors.Count - first);
            for (var i = 0; i < count; i++)
            {
                var tensor = tensors[first + i];
                longest = Math.Max(longest, tensor.Parameter.Length);
                var arrays = new AdamDeviceArrays { Parameter = View(tensor.Parameter), Gradient = View(tensor.Gradient), Mean = View(tensor.Mean), Variance = View(tensor.Variance) };
                if (i == 0) arguments.Tensor0 = arrays;
                else if (i == 1) arguments.Tensor1 = arrays;
                else if (i == 2) arguments.Tensor2 = arrays;
                else arguments.Tensor3 = arrays;
            }
            if (longest == 0) continue;
            var groups = (int)Math.Min((longest + MostThreads - 1) / MostThreads, 8L * accelerator.NumMultiprocessors);
            Launch(AdamCuda.Adam, new Index2D(groups, count), MostThreads, arguments);
        }
    }
}

internal struct AdamDeviceArrays
{
    public ArrayView<float> Parameter, Gradient, Mean, Variance;
}

internal struct AdamArguments
{
    public float GradientScale, Decay, MeanShare, VarianceKept, VarianceShare, StepSize, RootCorrection, Epsilon;
    public int Decoupled;
    public AdamDeviceArrays Tensor0, Tensor1, Tensor2, Tensor3;
}

/// <summary>The update of whole tensors, each element in one pass.</summary>
internal static class AdamCuda
{
    /// <summary>Tensors of a launch.</summary>
    public const int TensorsTogether = 4;

    /// <summary>A row of groups per tensor.</summary>
    [CudaKernel]
    public static void Adam(AdamArguments a)
    {
        var tensor = Grid.IdxY == 0 ? a.Tensor0 : Grid.IdxY == 1 ? a.Tensor1 : Grid.IdxY == 2 ? a.Tensor2 : a.Tensor3;
        for (var i = GridStride.First; i < tensor.Parameter.Length; i += GridStride.Step)
        {
            float p = tensor.Parameter[i], m = tensor.Mean[i], v = tensor.Variance[i], g = tensor.Gradient[i] * a.GradientScale;
            if (a.Decoupled != 0) p *= a.Decay;
            else g += a.Decay * p;
            m += (g - m) * a.MeanShare;
            v = v * a.VarianceKept + a.VarianceShare * g * g;
            p -= a.StepSize * m / (DeviceMath.Sqrt(v) / a.RootCorrection + a.Epsilon);
            tensor.Parameter[i] = p;
            tensor.Mean[i] = m;
            tensor.Variance[i] = v;
        }
    }
}
