using ClipGen.Models;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.Gpt;
using ClipGen.Training.VqGan;

namespace ClipGen.Training.Tests;

/// <summary>The gradients that a training step of a whole small model takes are the derivatives of its loss.</summary>
public sealed class WholeModelGradientTests : IDisposable
{
    private readonly Device device = Device.ReferenceInDoubles();

    public void Dispose()
    {
        var live = device.Memory.LiveBlocks;
        device.Dispose();
        Assert.Equal(0, live);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.2f, false)]
    [InlineData(0.2f, true)]
    public void Gpt(float dropout, bool recompute)
    {
        var config = new GptConfig { Vocabulary = 11, Layers = 2, Width = 8, Heads = 2, BlockSize = 6, ConditionSize = 5 };
        using var model = GptModel.Load(device, new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), 1), config.Heads, WeightForm.Trainable);
        using var training = new GptTraining(model, new GptRecipe { LearningRate = 1, Dropout = dropout, Recompute = recompute }, seed: 9);
        using var scope = new TensorScope();
        int[][] codes = [[1, 4, 9, 5, 3, 7], [10, 0, 4, 4, 2, 6]];
        var embeddings = device.From(Samples.Uniform(2, 2 * config.ConditionSize), new Shape(2, config.ConditionSize));
        var reported = training.Gradients(codes, embeddings, step: 3).Total;

        var inputs = device.From(codes.SelectMany(row => row[..^1]).ToArray(), new Shape(2, 5));
        var targets = device.From(codes.SelectMany(row => row).ToArray(), new Shape(2, 6));
        double Loss()
        {
            using var inner = new TensorScope();
            return DirectionalDerivative.Read(model.ForwardTraining(inputs, embeddings, new GptDropout(dropout, 9, 3)).CrossEntropy(targets).Mean());
        }
        Assert.Equal((float)Loss(), (float)reported);
        DirectionalDerivative.Check(device, model.Parameters, Loss, _ => false);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Generator(bool quantized)
    {
        using var model = VqGan();
        var recipe = new VqGanRecipe { LearningRate = 1, PerceptualWeight = 0, SquaredWeight = 0.7f };
        using var training = new VqGanTraining(model, null, recipe);
        using var scope = new TensorScope();
        var pictures = Pictures(3);

        // Choosing codes is a step function, which training replaces by x + constant: so does the loss here. The codes and both constants stay those of the start.
        var latents = model.Encode(pictures);
        var codes = model.Quantize(latents);
        var vectors = model.Embed(codes);
        var offset = vectors.Subtract(latents);
        var losses = training.GeneratorGradients(pictures, quantized, adversarial: true);
        Assert.True(losses.AdversarialWeight > 1e-3, "the adversarial part is too small to be checked");
        double Loss()
        {
            using var inner = new TensorScope();
            Tensor z = model.Encode(pictures), reconstruction = model.Decode(quantized ? z.Add(offset) : z);
            var content = Losses.L1(reconstruction, pictures).Add(Losses.MeanSquared(reconstruction, pictures).Affine(recipe.SquaredWeight, 0));
            var quantizer = Losses.MeanSquared(z, vectors).Add(Losses.MeanSquared(model.Embed(codes), latents).Affine(recipe.CodebookBeta, 0)).Affine(quantized ? recipe.QuantizerWeight : 0, 0);
            var fooling = Losses.Adversarial(model.Discriminator!.ForwardTraining(reconstruction)).Affine((float)(losses.AdversarialWeight * recipe.AdversarialWeight), 0);
            return DirectionalDerivative.Read(content.Add(quantizer).Add(fooling));
        }
        Assert.Equal((float)Loss(), (float)losses.Generator);
        // Without codes the codebook has no part in the loss.
        Parameter[] generator = [.. model.Parameters.Where(p => !IsDiscriminator(p) && (quantized || p.Value != model.Codebook))];
        DirectionalDerivative.Check(device, generator, Loss, _ => false);
    }

    [Fact]
    public void Discriminator()
    {
        using var model = VqGan();
        using var training = new VqGanTraining(model, null, new VqGanRecipe { LearningRate = 1, PerceptualWeight = 0 });
        using var scope = new TensorScope();
        var pictures = Pictures(4);
        var reconstruction = model.Reconstruct(pictures);
        var reported = training.DiscriminatorGradients(pictures);
        double Loss()
        {
            using var inner = new TensorScope();
            return DirectionalDerivative.Read(Losses.Hinge(model.Discriminator!.ForwardTraining(pictures), model.Discriminator.ForwardTraining(reconstruction)));
        }
        Assert.Equal((float)Loss(), (float)reported);
        Parameter[] discriminator = [.. model.Parameters.Where(p => IsDiscriminator(p) && !p.IsBuffer)];
        // Every logit of a fresh discriminator lies inside both hinges, where the last bias raises one as much as it lowers the other.
        DirectionalDerivative.Check(device, discriminator, Loss, p => p.Name == "discriminator.head.bias");
    }

    [Fact]
    public void AMissingGradientIsFound()
    {
        var values = new float[] { 1, 2, 3 };
        using Tensor a = device.From(values, new Shape(3)), b = device.From(values, new Shape(3));
        Parameter[] parameters = [new("a", [3], a, ParameterLayout.AsStored, false), new("b", [3], b, ParameterLayout.AsStored, false)];
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = true;
        Tensor Product(bool stopped) => a.Multiply(stopped ? b.StopGradient().Add(b.Affine(0, 0)) : b).Mean();
        Run(stopped: false);
        Assert.Contains("central differences", Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Run(stopped: true)).Message);

        void Run(bool stopped)
        {
            using var scope = new TensorScope();
            foreach (var parameter in parameters) parameter.Value.ClearGradient();
            using (var tape = new Tape()) tape.Backward(Product(stopped));
            DirectionalDerivative.Check(device, parameters, () =>
            {
                using var inner = new TensorScope();
                return DirectionalDerivative.Read(Product(stopped));
            }, _ => false);
        }
    }

    private VqGanModel VqGan()
    {
        var config = new VqGanConfig { Channels = 4, Multipliers = [1, 2], ResidualBlocks = [1], AttentionLevels = [1], CodeSize = 3, Codes = 16, DiscriminatorChannels = 2 };
        return VqGanModel.Load(device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config), 1, new Dictionary<string, int> { ["groups"] = 2 }), WeightForm.Trainable);
    }

    private Tensor Pictures(int seed) => device.From(Samples.Uniform(seed, 2 * 24 * 24 * 3), new Shape(2, 24, 24, 3));

    private static bool IsDiscriminator(Parameter parameter) => parameter.Name.StartsWith("discriminator.", StringComparison.Ordinal);
}
