using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Gpt;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.Gpt;

namespace ClipGen.Training.Tests;

/// <summary>A GPT that learns to tell a picture's embedding from the most similar one of the batch.</summary>
public sealed class ContrastTests : IDisposable
{
    private static readonly GptConfig Config = new() { Vocabulary = 11, Layers = 2, Width = 8, Heads = 2, BlockSize = 6, ConditionSize = 5 };

    private readonly Device device = Device.ReferenceInDoubles();

    public void Dispose() => device.Dispose();

    [Fact]
    public void TheLossIsTheShareOfTheOwnEmbedding()
    {
        using var scope = new TensorScope();
        float[] own = [0.5f, 1.5f, 2, 3], other = [1, 2, 0.5f, 0.25f];
        var loss = DirectionalDerivative.Read(GptTraining.ContrastiveLoss(device.From(own, new Shape(2, 2)), device.From(other, new Shape(2, 2))));
        // Probabilities of all codes together: exp(-2) and exp(-3) of the first picture, exp(-5) and exp(-0.75) of the second.
        static double Share(double own, double other) => -Math.Log(Math.Exp(-own) / (Math.Exp(-own) + Math.Exp(-other)));
        Assert.Equal((Share(2, 3) + Share(5, 0.75)) / 2, loss, 1e-12);
        Assert.Equal(Math.Log(2), DirectionalDerivative.Read(GptTraining.ContrastiveLoss(device.From(own, new Shape(2, 2)), device.From(own, new Shape(2, 2)))), 1e-12);
    }

    [Fact]
    public void EachIsComparedWithTheOneMostLikeIt()
    {
        // Angles of 0, 40, 90 and 100 degrees.
        float[] Unit(double degrees) => [(float)Math.Cos(degrees * Math.PI / 180), (float)Math.Sin(degrees * Math.PI / 180)];
        Assert.Equal([1, 0, 3, 2], GptTraining.MostSimilar([.. Unit(0), .. Unit(40), .. Unit(90), .. Unit(100)], 4));
        // The first of equals, and never itself.
        Assert.Equal([1, 0, 0], GptTraining.MostSimilar([1, 0, 1, 0, 1, 0], 3));
        Assert.Equal([1, 0], GptTraining.MostSimilar([float.NaN, 0, 1, 0], 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => GptTraining.MostSimilar([1, 0], 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.2f)]
    public void GradientsAreTheDerivatives(float dropout)
    {
        using var model = Model();
        using var training = new GptTraining(model, new GptRecipe { LearningRate = 1, Dropout = dropout, ContrastWeight = 0.7f }, seed: 9);
        using var scope = new TensorScope();
        var (codes, embeddings) = Batch();
        var reported = training.Gradients(codes, embeddings, step: 3);

        var inputs = device.From(codes.SelectMany(row => row[..^1]).ToArray(), new Shape(3, 5));
        var targets = device.From(codes.SelectMany(row => row).ToArray(), new Shape(3, 6));
        var nearest = device.From(GptTraining.MostSimilar(embeddings.ToFloats(), 3), new Shape(3)).Embedding(embeddings);
        double Loss()
        {
            using var inner = new TensorScope();
            double[] All(Tensor condition) => ((Kernels.ReferenceBackend)device.Backend).ReadDoubles(model.ForwardTraining(inputs, condition, new GptDropout(dropout, 9, 3)).CrossEntropy(targets).Floats);
            var (own, other) = (All(embeddings), All(nearest));
            var contrast = own.Chunk(6).Zip(other.Chunk(6), (a, b) => Math.Log(1 + Math.Exp(a.Sum() - b.Sum()))).Average();
            return own.Average() + 0.7f * contrast;
        }
        Assert.Equal((float)Loss(), (float)reported.Total);
        Assert.Equal((float)reported.Total, (float)(reported.CrossEntropy + 0.7f * reported.Contrast), 1e-6);
        DirectionalDerivative.Check(device, model.Parameters, Loss, _ => false);
    }

    [Fact]
    public void WhereBothEmbeddingsAreLeftOutNothingIsLearned()
    {
        double[][] Gradients(float weight)
        {
            using var model = Model();
            // Nearly all of them: a share of 1 is no share.
            using var training = new GptTraining(model, new GptRecipe { LearningRate = 1, Dropout = 0, ConditionDrop = 0.999999f, ContrastWeight = weight }, seed: 9);
            using var scope = new TensorScope();
            var (codes, embeddings) = Batch();
            var losses = training.Gradients(codes, embeddings, step: 3);
            Assert.Equal(weight == 0 ? 0 : Math.Log(2), losses.Contrast, 1e-6);
            return [.. model.Parameters.Select(p => ((Kernels.ReferenceBackend)device.Backend).ReadDoubles(p.Value.Gradient!.Floats))];
        }
        foreach (var (with, without) in Gradients(5).Zip(Gradients(0)))
            Assert.All(with.Zip(without), pair => Assert.Equal(pair.Second, pair.First, 1e-9));
    }

    [Fact]
    public void EncodingsOfGroupsAreNotThoseOfScenesAlone()
    {
        static string Key(int family) => EncodedPictures.KeyOf(new ShapesDataset(1, ShapesSplit.Train, 16, new ShapesLesson(family)), 64, 1, "a b");
        Assert.Equal(3, new[] { Key(1), Key(2), Key(4) }.Distinct().Count());
    }

    private GptModel Model() => GptModel.Load(device, new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(Config), 1), Config.Heads, WeightForm.Trainable);

    private (int[][] Codes, Tensor Embeddings) Batch() => ([[1, 4, 9, 5, 3, 7], [10, 0, 4, 4, 2, 6], [8, 8, 1, 0, 10, 5]], device.From(Samples.Uniform(2, 3 * Config.ConditionSize), new Shape(3, Config.ConditionSize)).L2Normalize());
}
