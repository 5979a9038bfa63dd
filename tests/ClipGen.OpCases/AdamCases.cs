using ClipGen.Kernels;

namespace ClipGen.OpCases;

internal sealed class AdamCases : IOpCases
{
    private static readonly Tolerance Rounded = new(5e-7, 5e-7, "a handful of roundings of values of size one; the step is at most a few learning rates of 0.01, with five roundings of its own");

    public IEnumerable<OpCase> Cases()
    {
        var adam = new AdamStep { Step = 7, LearningRate = 0.01, Beta1 = 0.5, Beta2 = 0.9 };
        var adamW = new AdamStep { Step = 3, LearningRate = 0.01, Beta1 = 0.9, Beta2 = 0.95, WeightDecay = 0.1, Decoupled = true };
        // Around vectors and parts of 2¹⁵, several tensors with and without elements.
        int[][] lengths = [[1], [3, 0, 4, 5], [15, 16, 17], [0], [], [32767, 0, 32768, 32769, 0], [100_000, 1]];
        foreach (var tensors in lengths)
        {
            yield return Case("plain", adam, tensors);
            yield return Case("decoupled decay", adamW, tensors);
        }
        yield return Case("first step", adam with { Step = 1 }, [70]);
        yield return Case("L2 decay", adam with { WeightDecay = 0.1 }, [70]);
        yield return Case("late step, clipped gradient", adamW with { Step = 1_000_000, GradientScale = 0.37f }, [70]);
        yield return Case("no learning", adam with { LearningRate = 0 }, [20]);
        yield return Case("no memory", adam with { Beta1 = 0, Beta2 = 0, Epsilon = 1e-3 }, [20]);
        // With moments of zero, so that these gradients come through unmixed.
        yield return Case("special values", adam, [[0, -0f, float.NaN, float.PositiveInfinity, 1e-30f, 1e-45f, -1e-20f, 1e18f, 1]], zeroMoments: true);
        // 4 Mi elements in tensors of several sizes, all with the same values.
        var values = CaseData.Normal(1 << 19, 1);
        yield return Case("4194304 in 40 tensors", adamW, [.. Enumerable.Repeat(values, 7), .. Enumerable.Repeat(values[..(1 << 14)], 32), values], large: true);
    }

    private static OpCase Case(string name, AdamStep step, int[] lengths) =>
        Case($"{name} [{string.Join(", ", lengths)}]", step, [.. lengths.Select((length, i) => CaseData.Normal(length, 10 + i))]);

    private static OpCase Case(string name, AdamStep step, float[][] gradients, bool zeroMoments = false, bool large = false)
    {
        var buffers = new List<CaseBuffer>();
        for (var i = 0; i < gradients.Length; i++)
        {
            var length = gradients[i].Length;
            buffers.Add(CaseBuffer.InOut($"p{i}", large ? gradients[i] : CaseData.Normal(length, 20 + i)));
            buffers.Add(CaseBuffer.Input($"g{i}", gradients[i]));
            buffers.Add(CaseBuffer.InOut($"m{i}", zeroMoments ? new float[length] : large ? gradients[i] : CaseData.Normal(length, 40 + i)));
            buffers.Add(CaseBuffer.InOut($"v{i}", zeroMoments || large ? new float[length] : CaseData.Uniform(length, 60 + i, 0.01, 2)));
        }
        var elements = gradients.Sum(gradient => (double)gradient.Length);
        return OpCase.Create<IAdam>($"Adam {name}", buffers, Rounded, new OpWork("Adam", 14 * elements, 28 * elements),
            (op, args) => op.Adam(step, [.. Enumerable.Range(0, gradients.Length).Select(i => new AdamTensor(args[$"p{i}"], args[$"g{i}"], args[$"m{i}"], args[$"v{i}"]))]), large);
    }
}
