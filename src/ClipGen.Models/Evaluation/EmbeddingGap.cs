using ClipGen.Models.Pipeline;

namespace ClipGen.Models.Evaluation;

/// <summary>
/// How CLIP's embeddings of texts lie to those of pictures. The GPT learns with the latter and is asked with the former, so what parts them (Liang et al. 2022, "Mind the gap",
/// arXiv 2203.02053) is what generation has to bridge.
/// </summary>
/// <param name="Pairs">How many pictures with their captions were measured.</param>
/// <param name="Matching">Mean cosine of a text and its own picture.</param>
/// <param name="Mismatching">Mean cosine of a text and another one's picture.</param>
/// <param name="MeanDistance">Distance of the texts' mean embedding from the pictures'.</param>
/// <param name="Retrieval">How many texts are nearest to a picture of that very caption.</param>
public sealed record EmbeddingGap(int Pairs, double Matching, double Mismatching, double MeanDistance, Proportion Retrieval)
{
    /// <summary>Measures unit embeddings.</summary>
    /// <param name="captions">The captions; equal ones are interchangeable.</param>
    /// <param name="texts">Their embeddings.</param>
    /// <param name="pictures">Embeddings of the pictures that they belong to.</param>
    /// <exception cref="ArgumentException">There are fewer than two pairs, or not as many of each.</exception>
    public static EmbeddingGap Measure(IReadOnlyList<string> captions, IReadOnlyList<float[]> texts, IReadOnlyList<float[]> pictures)
    {
        ArgumentNullException.ThrowIfNull(captions);
        var count = captions.Count;
        if (count < 2 || texts.Count != count || pictures.Count != count) throw new ArgumentException($"{count} captions, {texts.Count} texts and {pictures.Count} pictures; at least two of each are needed, and as many");
        double matching = 0, mismatching = 0, squares = 0;
        var retrieval = new Proportion();
        for (var n = 0; n < count; n++)
        {
            var nearest = (Cosine: float.NegativeInfinity, Index: 0);
            for (var m = 0; m < count; m++)
            {
                var cosine = ClipEmbedder.Similarity(texts[n], pictures[m]);
                if (m == n) matching += cosine;
                else mismatching += cosine;
                if (cosine > nearest.Cosine) nearest = (cosine, m);
            }
            retrieval = retrieval.With(captions[nearest.Index] == captions[n]);
        }
        for (var i = 0; i < texts[0].Length; i++)
        {
            var difference = texts.Average(row => (double)row[i]) - pictures.Average(row => (double)row[i]);
            squares += difference * difference;
        }
        return new EmbeddingGap(count, matching / count, mismatching / ((double)count * (count - 1)), Math.Sqrt(squares), retrieval);
    }
}
