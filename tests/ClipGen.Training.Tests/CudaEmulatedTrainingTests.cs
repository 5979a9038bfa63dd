using ClipGen.Models;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Testing;
using ClipGen.Training.Gpt;
using ClipGen.Training.VqGan;

namespace ClipGen.Training.Tests;

/// <summary>Training steps of whole small models by the CUDA kernels, emulated on the host, against the CPU's.</summary>
public sealed class CudaEmulatedTrainingTests
{
    // Both sides round to float32 and add in other orders. Gradients pass some dozens of ops whose sums have up to some hundred terms, relative error about 1e-6 each: 2e-5 of a tensor's largest gradient.
    private const double GradientShare = 2e-5;

    // A bias in front of a group norm moves all pixels alike, most of which the norm takes out: its gradient is a sum over hundreds of pixels that nearly cancels, a few per cent of its terms' size.
    private const double CancellingShare = 2e-4;

    // The loss itself is a mean.
    private const double LossShare = 1e-5;

    // After a step of Adam, which divides each gradient by its own size: where that is nearly nothing, rounding decides its sign, and the step is as long as any other. So the next loss differs by more.
    private const double NextLossShare = 1e-3;

    [Theory]
    [InlineData(0)]
    [InlineData(0.2f)]
    public void Gpt(float dropout)
    {
        using var machine = new MachineLock();
        var (cpu, cuda) = (Run(Device.Cpu(1)), Run(Device.CudaEmulated()));
        Compare(cpu, cuda, GradientShare);

        Result Run(Device device)
        {
            using var owned = device;
            var config = new GptConfig { Vocabulary = 11, Layers = 2, Width = 8, Heads = 2, BlockSize = 6, ConditionSize = 5 };
            using var model = GptModel.Load(device, new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), 1), config.Heads, WeightForm.Trainable);
            using var training = new GptTraining(model, new GptRecipe { LearningRate = 1e-3, Dropout = dropout }, seed: 9);
            using var scope = new TensorScope();
            int[][] codes = [[1, 4, 9, 5, 3, 7], [10, 0, 4, 4, 2, 6]];
            var embeddings = device.From(Uniform(2, 2 * config.ConditionSize), new Shape(2, config.ConditionSize));
            var first = training.Gradients(codes, embeddings, step: 0).Total;
            var gradients = Gradients(model.Parameters);
            training.Optimizer.ClearGradients();
            training.Step(0, (codes, embeddings));
            return new Result(gradients, [first], [training.Step(1, (codes, embeddings)).Total]);
        }
    }

    [Fact]
    public void VqGan()
    {
        using var machine = new MachineLock();
        var (cpu, cuda) = (Run(Device.Cpu(1)), Run(Device.CudaEmulated()));
        Compare(cpu, cuda, CancellingShare);

        Result Run(Device device)
        {
            using var owned = device;
            // Attention in the middle alone, over 36 pixels: emulation takes its time.
            var config = new VqGanConfig { Channels = 4, Multipliers = [1, 1, 2], ResidualBlocks = [0, 0, 1], AttentionLevels = [], CodeSize = 3, Codes = 16, DiscriminatorChannels = 2 };
            using var model = VqGanModel.Load(device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config), 1, new Dictionary<string, int> { ["groups"] = 2 }), WeightForm.Trainable);
            using var training = new VqGanTraining(model, null, new VqGanRecipe { LearningRate = 1e-3, PerceptualWeight = 0, SquaredWeight = 0.7f });
            using var scope = new TensorScope();
            var pictures = device.From(Uniform(3, 24 * 24 * 3), new Shape(1, 24, 24, 3));
            var generator = training.GeneratorGradients(pictures, quantized: true, adversarial: true);
            var discriminator = training.DiscriminatorGradients(pictures);
            var gradients = Gradients(model.Parameters.Where(p => !p.IsBuffer));
            // The optimiser's own step is compared above, and in its cases.
            return new Result(gradients, [generator.Generator, generator.AdversarialWeight, discriminator], []);
        }
    }

    private static void Compare(Result cpu, Result cuda, double share)
    {
        Assert.Equal(cpu.Gradients.Keys, cuda.Gradients.Keys);
        foreach (var (name, expected) in cpu.Gradients)
        {
            var bound = share * expected.Max(MathF.Abs);
            // Where hinge losses of real and painted pictures are both active, the last bias is pushed up as much as down.
            Assert.True(bound > 0 || name == "discriminator.head.bias", $"{name}: no gradient");
            Assert.All(expected.Zip(cuda.Gradients[name]), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= bound, $"{name}: {pair.First} on the CPU, {pair.Second} emulated, bound {bound}"));
        }
        Near(cpu.First, cuda.First, LossShare);
        Near(cpu.Next, cuda.Next, NextLossShare);
    }

    private static void Near(double[] expected, double[] found, double share) =>
        Assert.All(expected.Zip(found), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= share * Math.Abs(pair.First), $"{pair.First} on the CPU, {pair.Second} emulated"));

    private static Dictionary<string, float[]> Gradients(IEnumerable<Parameter> parameters) => parameters.ToDictionary(p => p.Name, p => p.Value.Gradient!.ToFloats());

    private static float[] Uniform(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(2 * random.NextDouble() - 1))];
    }

    private sealed record Result(Dictionary<string, float[]> Gradients, double[] First, double[] Next);
}
