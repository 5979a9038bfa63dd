using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;
using ClipGen.Tensors;

namespace ClipGen.Models.Tests;

/// <summary>Codes that look alike become one.</summary>
public sealed class CodebookMergingTests
{
    /// <summary>Held against the method by its definition: of all pairs, join the one that adds least to the squared error, and look at all pairs again.</summary>
    [Theory]
    [InlineData(1, 40, 3, 1)]
    [InlineData(2, 40, 3, 7)]
    [InlineData(3, 25, 1, 24)]
    [InlineData(4, 60, 12, 20)]
    [InlineData(5, 5, 2, 5)]
    public void TheCheapestPairEachTime(int seed, int count, int width, int groups)
    {
        var random = new Random(seed);
        double[][] things = [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, width).Select(_ => random.NextDouble()).ToArray())];
        long[] weights = [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(1, 1000))];
        var expected = ByDefinition(things, weights, groups);
        var found = CodebookMerging.Unite([.. things.Select(thing => thing.ToArray())], weights, groups, TestContext.Current.CancellationToken);
        Assert.Equal(expected, found);
        Assert.Equal(Enumerable.Range(0, groups), found.Distinct().Order());
    }

    [Fact]
    public void FrequentThingsThatDifferLittleBeforeRareOnesThatDifferMuch()
    {
        // Twenty shades that are everywhere, ten far apart that are rare.
        double[][] things = [.. Enumerable.Range(0, 20).Select(n => new[] { n * 0.001 }), .. Enumerable.Range(1, 10).Select(n => new[] { 10.0 * n })];
        long[] weights = [.. Enumerable.Repeat(100_000L, 20), .. Enumerable.Repeat(100L, 10)];
        var groups = CodebookMerging.Unite(things, weights, 12, TestContext.Current.CancellationToken);
        Assert.Equal(2, groups.Take(20).Distinct().Count());
        Assert.Equal(10, groups.Skip(20).Distinct().Count());
    }

    [Fact]
    public void NewCodesAreTheMeansOfTheirLatents()
    {
        using var device = Device.Cpu(2);
        using var shapes = new ShapesPipeline(device);
        var vqgan = shapes.Models.VqGan;
        Picture[] pictures = [.. Enumerable.Range(0, 21).Select(n => ShapesWorld.Picture(1, ShapesSplit.Train, n))];
        var used = pictures.SelectMany(picture => PictureCodec.Encode(vqgan, picture).SelectMany(row => row)).GroupBy(code => code).ToDictionary(codes => codes.Key, codes => codes.Count());
        Assert.True(used.Count > 3);
        var progress = new RecordedProgress();

        var merged = CodebookMerging.Run(vqgan, pictures, pictures.Length, 3, progress, TestContext.Current.CancellationToken);
        Assert.Equal((3, used.Count, 3 * vqgan.CodeSize), (merged.Codes, merged.Used, merged.Vectors.Length));
        Assert.Equal(("squares of pictures", 21L, 21L), Assert.Single(progress.Stages));
        var squares = (double)used.Values.Sum();
        Assert.Equal(used.Values.Sum(n => -n / squares * Math.Log(n / squares)), merged.Former, 1e-12);
        Assert.InRange(merged.Merged, 0, Math.Log(3));
        Assert.True(merged.Merged <= merged.Former);

        // All in one: the mean of all latents.
        var one = CodebookMerging.Run(vqgan, pictures, pictures.Length, 1, progress, TestContext.Current.CancellationToken);
        Assert.Equal(0, one.Merged);
        var mean = new double[vqgan.CodeSize];
        foreach (var picture in pictures)
        {
            using var scope = new TensorScope();
            var latents = vqgan.Encode(device.From(PictureTransforms.ToVqGan(picture), new Shape(1, picture.Height, picture.Width, 3))).ToFloats();
            for (var i = 0; i < latents.Length; i++) mean[i % mean.Length] += latents[i] / squares;
        }
        // The same numbers, added in another order and rounded to float.
        for (var i = 0; i < mean.Length; i++) Assert.Equal(mean[i], one.Vectors[i], 1e-6 * (1 + Math.Abs(mean[i])));
    }

    [Fact]
    public void NothingToUnite()
    {
        using var device = Device.Cpu(2);
        using var shapes = new ShapesPipeline(device);
        Picture[] pictures = [ShapesWorld.Picture(1, ShapesSplit.Train, 0)];
        var failure = Assert.Throws<EvaluationException>(() => CodebookMerging.Run(shapes.Models.VqGan, pictures, 1, shapes.Models.VqGan.Codes, new RecordedProgress(), TestContext.Current.CancellationToken));
        Assert.Contains("keep fewer codes, or show more pictures", failure.Message);
    }

    private static int[] ByDefinition(double[][] things, long[] weights, int groups)
    {
        var sets = Enumerable.Range(0, things.Length).Select(i => new List<int> { i }).ToList();
        // The squared error of a set around its weighted mean.
        double Error(List<int> set)
        {
            var total = set.Sum(i => (double)weights[i]);
            return Enumerable.Range(0, things[0].Length).Sum(p =>
            {
                var mean = set.Sum(i => weights[i] * things[i][p]) / total;
                return set.Sum(i => weights[i] * (things[i][p] - mean) * (things[i][p] - mean));
            });
        }

        while (sets.Count > groups)
        {
            var pairs = from a in Enumerable.Range(0, sets.Count) from b in Enumerable.Range(a + 1, sets.Count - a - 1) select (a, b);
            var (first, second) = pairs.MinBy(pair => Error([.. sets[pair.a], .. sets[pair.b]]) - Error(sets[pair.a]) - Error(sets[pair.b]));
            sets[first].AddRange(sets[second]);
            sets.RemoveAt(second);
        }
        return [.. Enumerable.Range(0, things.Length).Select(i => sets.FindIndex(set => set.Contains(i)))];
    }
}
