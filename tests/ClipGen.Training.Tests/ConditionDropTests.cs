using ClipGen.Models;
using ClipGen.Models.Gpt;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.Gpt;

namespace ClipGen.Training.Tests;

/// <summary>A GPT that is sometimes trained without an embedding, and generation that is guided away from what it writes then.</summary>
public sealed class ConditionDropTests : IDisposable
{
    private const int Vocabulary = 6, Length = 9, Embedding = 4;

    private readonly Device device = Device.Cpu(1);

    public void Dispose() => device.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(0.25f)]
    [InlineData(0.75f)]
    public void SoManyEmbeddingsAreLeftOut(float share)
    {
        const int Pictures = 64, Steps = 20;
        using var model = Model(unconditional: true);
        using var training = new GptTraining(model, new GptRecipe { LearningRate = 1, Dropout = 0, ConditionDrop = share }, seed: 3);
        var kept = 0;
        for (var step = 0; step < Steps; step++)
        {
            using var scope = new TensorScope();
            // Embedding n is the n-th unit vector, so column n of the first weights' gradient is zero where it was left out.
            for (var first = 0; first < Pictures; first += Embedding)
            {
                var units = new float[Embedding * Embedding];
                for (var i = 0; i < Embedding; i++) units[i * Embedding + i] = 1;
                training.Optimizer.ClearGradients();
                training.Gradients([.. Enumerable.Range(0, Embedding).Select(Codes)], device.From(units, new Shape(Embedding, Embedding)), step * Pictures + first);
                var gradient = model.Parameters.Single(p => p.Name == "cond_proj.weight");
                var rows = gradient.ToStored(gradient.Value.Gradient!.ToFloats()).Chunk(Embedding).ToArray();
                kept += Enumerable.Range(0, Embedding).Count(i => rows.Any(row => row[i] != 0));
            }
        }
        var (count, expected) = (Pictures * Steps, (1 - share) * Pictures * Steps);
        // Five deviations of so many draws.
        Assert.InRange(kept, expected - 5 * Math.Sqrt(count * share * (1 - share)), expected + 5 * Math.Sqrt(count * share * (1 - share)));
    }

    [Fact]
    public void GuidanceLeadsFromTheUnconditionalTowardsTheText()
    {
        using var model = Model(unconditional: true);
        using Tensor one = device.From([1f, 0, 0, 0], new Shape(1, Embedding)), other = device.From([0f, 0, 0, 1], new Shape(1, Embedding));
        int[][] Write(Tensor condition, float guidance) => CodeSampler.Sample(model, condition, 0, 8, new GenerationSettings { Guidance = guidance, Seed = 2, TopP = 1 }, cancellation: TestContext.Current.CancellationToken);
        // Without the text all texts are one.
        Assert.Equal(Write(one, 0), Write(other, 0));
        Assert.NotEqual(Write(one, 1), Write(other, 1));
        // Far from it, the draw is what the text favours most at each place: free - w (free - text) for a large w.
        var far = Write(one, 1e6f);
        using var scope = new TensorScope();
        using var text = model.StartDecoding(one);
        using var free = model.StartDecoding(device.Zeros(new Shape(1, Embedding)));
        var (with, without) = (text.Logits.ToFloats(), free.Logits.ToFloats());
        var favourite = Enumerable.Range(0, Vocabulary).MaxBy(code => with[code] - without[code]);
        Assert.All(far, codes => Assert.Equal(favourite, codes[0]));
    }

    [Fact]
    public void GuidanceNeedsAGptThatKnowsNoText()
    {
        using var model = Model(unconditional: false);
        using var condition = device.From([1f, 0, 0, 0], new Shape(1, Embedding));
        var refused = Assert.Throws<GenerationException>(() => CodeSampler.Sample(model, condition, 0, 1, new GenerationSettings { Guidance = 2 }, cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("--cond-drop", refused.Message);
        Assert.Contains("--guidance -1", Assert.Throws<GenerationException>(() => new GenerationSettings { Guidance = -1 }.Validate()).Message);
        Assert.Throws<GenerationException>(() => new GenerationSettings { Guidance = float.NaN }.Validate());
    }

    private static int[] Codes(int n) => [.. Enumerable.Range(0, Length).Select(i => (i * (n + 2) + n) % Vocabulary)];

    private GptModel Model(bool unconditional)
    {
        var config = new GptConfig { Vocabulary = Vocabulary, Layers = 1, Width = 8, Heads = 2, BlockSize = Length, ConditionSize = Embedding };
        var options = new Dictionary<string, int> { ["heads"] = 2 };
        if (unconditional) options[GptConfig.UnconditionalOption] = 1;
        return GptModel.Load(device, new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), 1, options), null, WeightForm.Trainable);
    }
}
