using ClipGen.Models.Evaluation;

namespace ClipGen.Models.Tests.Evaluation;

/// <summary>Measures of texts against pictures.</summary>
public sealed class EmbeddingGapTests
{
    [Fact]
    public void ByHand()
    {
        float[][] texts = [[1, 0, 0], [0, 1, 0], [0, 1, 0]], pictures = [[0.8f, 0, 0.6f], [0, 0.6f, 0.8f], [0, 0, 1]];
        var gap = EmbeddingGap.Measure(["one", "two", "three"], texts, pictures);
        // Cosines: rows (0.8, 0, 0), (0, 0.6, 0), (0, 0.6, 0); the third text's nearest picture is the second.
        Assert.Equal((0.8 + 0.6 + 0) / 3, gap.Matching, 1e-6);
        Assert.Equal(0.6 / 6, gap.Mismatching, 1e-6);
        // Means (1/3, 2/3, 0) and (0.8/3, 0.2, 0.8).
        Assert.Equal(Math.Sqrt(Math.Pow(0.2 / 3, 2) + Math.Pow(2.0 / 3 - 0.2, 2) + 0.64), gap.MeanDistance, 1e-6);
        Assert.Equal(new Proportion(2, 3), gap.Retrieval);
        // Pictures of one caption are as good as each other.
        Assert.Equal(new Proportion(3, 3), EmbeddingGap.Measure(["one", "two", "two"], texts, pictures).Retrieval);
        Assert.Throws<ArgumentException>(() => EmbeddingGap.Measure(["one"], texts[..1], pictures[..1]));
        Assert.Throws<ArgumentException>(() => EmbeddingGap.Measure(["one", "two"], texts, pictures));
    }
}
