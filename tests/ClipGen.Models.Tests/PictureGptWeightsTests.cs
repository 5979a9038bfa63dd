using ClipGen.Models.Gpt;

namespace ClipGen.Models.Tests;

/// <summary>First weights of a GPT that know its grid and its codebook.</summary>
public sealed class PictureGptWeightsTests
{
    private const int Side = 6, Width = 48, Codes = 40, CodeSize = 3;

    private static readonly GptConfig Config = new() { Vocabulary = Codes, Layers = 1, Width = Width, Heads = 2, BlockSize = Side * Side, ConditionSize = 5 };

    [Fact]
    public void TheWayBetweenTwoPlacesIsTheSameEverywhere()
    {
        var places = Read(Weights(Codebook()), "pos_emb").Chunk(Width).ToArray();
        double Alike(int a, int b) => places[a].Zip(places[b], (x, y) => (double)x * y).Sum();
        foreach (var step in new[] { 1, Side, Side + 1, 2 * Side })
        {
            // Pairs of places that far apart and in the same relation of row and column.
            var pairs = Enumerable.Range(0, Side * Side - step).Where(at => at % Side + step % Side < Side).Select(at => Alike(at, at + step)).ToArray();
            Assert.True(pairs.Length > 10);
            Assert.All(pairs, alike => Assert.Equal(pairs[0], alike, 1e-4));
            // And no other place is as like a place as itself.
            Assert.True(pairs[0] < 0.98 * Alike(7, 7), $"step {step}: {pairs[0]} of {Alike(7, 7)}");
        }
        Assert.Equal(Side * Side, places.Select(place => string.Join(' ', place)).Distinct().Count());
    }

    [Theory]
    [InlineData("tok_emb.weight", 1)]
    [InlineData("head.weight", 0.0833)]
    public void CodesThatLookAlikeBeginAlike(string name, double size)
    {
        var codebook = Codebook();
        // Code 1 is nearly code 0; code 2 is its opposite.
        for (var i = 0; i < CodeSize; i++) (codebook[CodeSize + i], codebook[2 * CodeSize + i]) = (codebook[i] + 0.001f, -codebook[i]);
        var rows = Read(Weights(codebook), name).Chunk(Width).ToArray();
        double Cosine(int a, int b) => rows[a].Zip(rows[b], (x, y) => (double)x * y).Sum() / Math.Sqrt(rows[a].Sum(x => (double)x * x) * rows[b].Sum(x => (double)x * x));
        Assert.True(Cosine(0, 1) > 0.7, $"{Cosine(0, 1)}");
        Assert.True(Cosine(0, 2) < 0, $"{Cosine(0, 2)}");
        Assert.True(Cosine(0, 1) < 1 - 1e-3, "two codes must stay two");
        var all = rows.SelectMany(row => row).ToArray();
        var deviation = Math.Sqrt(all.Sum(x => (double)x * x) / all.Length);
        Assert.InRange(deviation, 0.7 * size, 1.4 * size);
    }

    [Fact]
    public void ReadInPiecesTheyAreTheSame()
    {
        var weights = Weights(Codebook());
        foreach (var name in weights.Names)
        {
            var whole = Read(weights, name);
            var pieces = new float[whole.Length];
            for (var first = 0; first < whole.Length; first += 7) weights.ReadFloats(name, first, pieces.AsSpan(first, Math.Min(7, whole.Length - first)));
            Assert.Equal(whole, pieces);
        }
    }

    [Fact]
    public void OtherWeightsAreDrawnAsEver()
    {
        var plain = Plain();
        var weights = Weights(Codebook());
        string[] own = ["pos_emb", "tok_emb.weight", "head.weight"];
        Assert.All(plain.Names, name => Assert.Equal(!own.Contains(name), Read(plain, name).AsSpan().SequenceEqual(Read(weights, name))));
        // A number that is the same in all vectors tells nothing, and divides nothing by zero.
        var flat = Codebook();
        for (var code = 0; code < Codes; code++) flat[code * CodeSize] = 2;
        Assert.All(Read(Weights(flat), "tok_emb.weight"), x => Assert.True(float.IsFinite(x)));
    }

    private static InitialWeights Plain() => new(ModelKind.Gpt, StateDicts.Gpt(Config), 4, new Dictionary<string, int> { ["heads"] = 2 });

    private static PictureGptWeights Weights(float[] codebook) => new(Plain(), codebook, CodeSize, 4);

    private static float[] Codebook()
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, Codes * CodeSize).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    private static float[] Read(Tensors.Nn.IWeightSource weights, string name)
    {
        var values = new float[weights.ShapeOf(name)!.Aggregate(1L, (product, axis) => product * axis)];
        weights.ReadFloats(name, 0, values);
        return values;
    }
}
