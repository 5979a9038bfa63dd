using ClipGen.OpCases;
using ClipGen.Testing;

namespace ClipGen.Kernels.Tests;

/// <summary>The optimiser's steps against PyTorch's, and its bits against the formula written out in float.</summary>
public sealed class AdamTests
{
    private static readonly IReadOnlyDictionary<string, GoldenTensor> Golden = GoldenTensors.Load("ops", "ops.safetensors");

    private static readonly AdamStep AdamSettings = new() { Step = 1, LearningRate = 0.01, Beta1 = 0.5, Beta2 = 0.9 };
    private static readonly AdamStep AdamWSettings = new() { Step = 1, LearningRate = 0.01, Beta1 = 0.9, Beta2 = 0.95, WeightDecay = 0.01, Decoupled = true };

    public static TheoryData<string> Backends() => ["reference", .. Enum.GetNames<SimdLevel>()];

    public static TheoryData<SimdLevel> Levels() => [.. Enum.GetValues<SimdLevel>()];

    [Theory]
    [MemberData(nameof(Backends))]
    public void FiveStepsMatchPyTorch(string name)
    {
        Check("adam", AdamSettings);
        Check("adamw", AdamWSettings);

        void Check(string golden, AdamStep settings)
        {
            using IBackend backend = name == "reference" ? new ReferenceBackend() : CpuBackend.InSoftware(2, Enum.Parse<SimdLevel>(name));
            using var arrays = new DeviceArrays(backend);
            var start = Golden[$"{golden}.start"].Floats;
            var (gradients, values) = (Golden[$"{golden}.grads"], Golden[$"{golden}.values"]);
            var count = start.Length;
            View<float> p = arrays.From(start), m = arrays.From(new float[count]), v = arrays.From(new float[count]);
            for (var step = 0; step < gradients.Axes[0]; step++)
            {
                var g = arrays.From(gradients.Floats[(step * count)..((step + 1) * count)]);
                backend.Adam(settings with { Step = step + 1 }, [new AdamTensor(p, g, m, v)]);
                Close($"{golden} step {step + 1} on {name}", values.Floats.AsSpan(step * count, count), arrays.Read(p));
            }
            Close($"{golden} mean on {name}", Golden[$"{golden}.exp_avg"].Floats, arrays.Read(m));
            Close($"{golden} variance on {name}", Golden[$"{golden}.exp_avg_sq"].Floats, arrays.Read(v));
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void EveryElementHasTheBitsOfTheFormulaInFloat(SimdLevel level)
    {
        const int count = 1003;
        foreach (var step in new[] { AdamSettings with { Step = 4, GradientScale = 0.3f, WeightDecay = 0.02 }, AdamWSettings with { Step = 1000, GradientScale = 7 } })
        {
            float[] p = CaseData.Normal(count, 1), g = CaseData.Normal(count, 2), m = CaseData.Normal(count, 3), v = CaseData.Uniform(count, 4);
            // Gradients of all sizes, down to squares that vanish.
            for (var i = 0; i < count; i++) g[i] *= MathF.ScaleB(1, -i % 150);
            using var cpu = CpuBackend.InSoftware(3, level);
            using var arrays = new DeviceArrays(cpu);
            View<float> parameter = arrays.From(p), mean = arrays.From(m), variance = arrays.From(v);
            cpu.Adam(step, [new AdamTensor(parameter, arrays.From(g), mean, variance)]);

            var (decay, meanShare, kept, share) = ((float)(step.Decoupled ? 1 - step.LearningRate * step.WeightDecay : step.WeightDecay), (float)(1 - step.Beta1), (float)step.Beta2, (float)(1 - step.Beta2));
            var (size, root) = ((float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step))), (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)));
            for (var i = 0; i < count; i++)
            {
                var gradient = g[i] * step.GradientScale;
                if (step.Decoupled) p[i] *= decay;
                else gradient += decay * p[i];
                m[i] += (gradient - m[i]) * meanShare;
                v[i] = v[i] * kept + share * gradient * gradient;
                p[i] -= size * m[i] / (MathF.Sqrt(v[i]) / root + (float)step.Epsilon);
            }
            Assert.Equal(p, arrays.Read(parameter));
            Assert.Equal(m, arrays.Read(mean));
            Assert.Equal(v, arrays.Read(variance));
        }
    }

    [Fact]
    public void AZeroGradientMovesNothingFromZeroMomentsAndNaNSpreadsInItsElementOnly()
    {
        using var cpu = new CpuBackend(1);
        using var arrays = new DeviceArrays(cpu);
        View<float> p = arrays.From(1f, 2, 3), m = arrays.From(0f, 0, 0), v = arrays.From(0f, 0, 0);
        cpu.Adam(AdamSettings, [new AdamTensor(p, arrays.From(0, float.NaN, 1), m, v)]);
        var moved = arrays.Read(p);
        Assert.Equal(1, moved[0]);
        Assert.True(float.IsNaN(moved[1]) && float.IsNaN(arrays.Read(m)[1]) && float.IsNaN(arrays.Read(v)[1]));
        // The first step of Adam is the learning rate in the gradient's direction; 3 has ulps of 2.4e-7.
        Assert.True(Math.Abs(moved[2] - 2.99) <= 3e-7);
    }

    // PyTorch rounds in another order here and there: each step moves a value of size one by a few ulps of the step (0.01) and one of the value, 1e-7 in all.
    private static void Close(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        var error = GoldenTensors.RelativeError(expected, found);
        Assert.True(error <= 5e-7, $"{what}: relative error {error:G3}");
    }
}
