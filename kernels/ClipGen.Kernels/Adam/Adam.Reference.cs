namespace ClipGen.Kernels;

public sealed unsafe partial class ReferenceBackend : IAdam
{
    /// <inheritdoc/>
    public void Adam(in AdamStep step, IReadOnlyList<AdamTensor> tensors)
    {
        double correction1 = 1 - Math.Pow(step.Beta1, step.Step), correction2 = 1 - Math.Pow(step.Beta2, step.Step);
        foreach (var tensor in tensors)
        {
            Reals parameter = Real(tensor.Parameter), gradient = Real(tensor.Gradient), mean = Real(tensor.Mean), variance = Real(tensor.Variance);
            for (var i = 0L; i < tensor.Parameter.Length; i++)
            {
                var (p, g) = (parameter[i], gradient[i] * step.GradientScale);
                if (step.Decoupled) p *= 1 - step.LearningRate * step.WeightDecay;
                else g += step.WeightDecay * p;
                var m = mean[i] + (g - mean[i]) * (1 - step.Beta1);
                var v = step.Beta2 * variance[i] + (1 - step.Beta2) * g * g;
                parameter[i] = p - step.LearningRate / correction1 * m / (Math.Sqrt(v) / Math.Sqrt(correction2) + step.Epsilon);
                mean[i] = m;
                variance[i] = v;
            }
        }
    }
}
