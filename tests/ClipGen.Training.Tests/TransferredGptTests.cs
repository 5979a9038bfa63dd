using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Kernels;
using ClipGen.Models;
using ClipGen.Models.Gpt;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training.Gpt;

namespace ClipGen.Training.Tests;

/// <summary>A GPT that goes on with another VQ-GAN's codes.</summary>
public sealed class TransferredGptTests : IDisposable
{
    private const int Old = 4, Length = 5, Embedding = 3;

    // What each new code was: two are halves of the third.
    private static readonly int[] Was = [2, 0, 3, 3, 1];
    private static readonly double[] Share = [1, 1, 0.25, 0.75, 1];

    private readonly Device device = Device.ReferenceInDoubles();

    public void Dispose() => device.Dispose();

    [Fact]
    public void ANewCodeIsAsLikelyAsTheShareOfTheOldOneThatItTook()
    {
        const int Places = 40_000;
        var counts = new CodeCounts(Old, Was.Length);
        for (var code = 0; code < Was.Length; code++)
            for (var i = 0; i < Places * Share[code]; i++) counts.Add(Was[code], code);
        Assert.Equal(4L * Places, counts.Total);
        Assert.Equal(1, counts.Agreement);

        var options = new Dictionary<string, int> { ["heads"] = 2 };
        var config = new GptConfig { Vocabulary = Old, Layers = 1, Width = 8, Heads = 2, BlockSize = Length, ConditionSize = Embedding };
        var weights = new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), 1, options);
        using var old = GptModel.Load(device, weights);
        using var now = GptModel.Load(device, new TransferredGptWeights(weights, counts));
        Assert.Equal(Was.Length, now.Config.Vocabulary);
        int[] written = [0, 3, 4, 2];
        double[][] Chances(GptModel model, int[] codes)
        {
            using var scope = new TensorScope();
            var logits = ((ReferenceBackend)device.Backend).ReadDoubles(model.Forward(device.From(codes, new Shape(1, codes.Length)), device.From([0.5f, -1, 2], new Shape(1, Embedding))).Floats);
            return [.. logits.Chunk(model.Config.Vocabulary).Select(row => row.Select(x => Math.Exp(x) / row.Sum(Math.Exp)).ToArray())];
        }
        foreach (var (before, after) in Chances(old, [.. written.Select(code => Was[code])]).Zip(Chances(now, written)))
            for (var code = 0; code < Was.Length; code++)
                // A thousandth of a place is counted with every pair, and weights are floats.
                Assert.Equal(before[Was[code]] * Share[code], after[code], 1e-6);
    }

    [Fact]
    public void ACodeThatNeverStoodIsWhatCodesAreOnAverage()
    {
        var counts = new CodeCounts(3, 2);
        counts.Add(0, 0);
        counts.Add(1, 0);
        counts.Add(1, 0);
        Assert.Equal([(0, 1 / 3.0), (1, 2 / 3.0)], counts.SharesOf(1));
        Assert.Equal([(0, 1 / 3.0), (1, 2 / 3.0)], counts.SharesOf(0));
        Assert.Equal(2 / 3.0, counts.Agreement);
    }

    [Fact]
    public void CodesInAnotherOrderAreFound()
    {
        var config = new VqGanConfig { Channels = 4, Multipliers = [1, 2], ResidualBlocks = [1], AttentionLevels = [], CodeSize = 3, Codes = 16, DiscriminatorChannels = 2 };
        var weights = new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config), 1, new Dictionary<string, int> { ["groups"] = 2 });
        using VqGanModel one = VqGanModel.Load(device, weights), other = VqGanModel.Load(device, new Turned(weights, 5));
        using var data = new TrainingData(new ShapesDataset(1, ShapesSplit.Train, 40).Split(0.2), 16, 4, 1, false, _ => { });
        var counts = CodeCorrespondence.Count(one, other, data, 40, TestContext.Current.CancellationToken);
        Assert.Equal(40 * 64, counts.Total);
        Assert.True(Enumerable.Range(0, 16).Count(code => counts.Of(code) > 0) > 1, "one code says nothing about an order");
        // Row 5 and the ones behind come first in the other.
        for (var code = 0; code < 16; code++) Assert.All(counts.SharesOf(code).Where(_ => counts.Of((code + 5) % 16) > 0), share => Assert.Equal(((code + 5) % 16, 1.0), share));
        using var coarse = VqGanModel.Load(device, new InitialWeights(ModelKind.VqGan, StateDicts.VqGan(config with { Multipliers = [1, 2, 2] }), 1, new Dictionary<string, int> { ["groups"] = 2 }));
        Assert.Contains("4 x 4", Assert.Throws<DataException>(() => CodeCorrespondence.Count(one, coarse, data, 40, TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public void AGptOfOtherCodesIsRefused()
    {
        var config = new GptConfig { Vocabulary = 6, Layers = 1, Width = 8, Heads = 2, BlockSize = Length, ConditionSize = Embedding };
        var weights = new InitialWeights(ModelKind.Gpt, StateDicts.Gpt(config), 1);
        Assert.Contains("expected 4 rows", Assert.Throws<WeightException>(() => new TransferredGptWeights(weights, new CodeCounts(4, 4))).Message);
    }

    /// <summary>A VQ-GAN with the rows of its codebook moved up.</summary>
    private sealed class Turned(IWeightSource weights, int by) : IWeightSource
    {
        public string Name => weights.Name;

        public IReadOnlyCollection<string> Names => weights.Names;

        public long[]? ShapeOf(string name) => weights.ShapeOf(name);

        public int? Option(string name) => weights.Option(name);

        public void ReadFloats(string name, long first, Span<float> destination)
        {
            if (name != VqGanModel.CodebookName)
            {
                weights.ReadFloats(name, first, destination);
                return;
            }
            var shape = weights.ShapeOf(name)!;
            var all = new float[shape[0] * shape[1]];
            weights.ReadFloats(name, 0, all);
            for (var i = 0; i < destination.Length; i++) destination[i] = all[(first + i + by * shape[1]) % all.Length];
        }
    }
}
