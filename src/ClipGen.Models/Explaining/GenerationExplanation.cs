using ClipGen.Data;
using ClipGen.Kernels;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;

namespace ClipGen.Models.Explaining;

/// <summary>What happened on the way from a text to one of its pictures.</summary>
public sealed record GenerationExplanation
{
    /// <summary>The text's tokens: id and what it stands for.</summary>
    public required IReadOnlyList<(int Id, string Text)> Tokens { get; init; }

    /// <summary>The text without one of its words: how similar its embedding is to that of the whole text, and to that of the picture.</summary>
    public required IReadOnlyList<WordEffect> Words { get; init; }

    /// <summary>The candidate that is explained.</summary>
    public required int Candidate { get; init; }

    /// <summary>Its codes, row by row.</summary>
    public required IReadOnlyList<CodeChoice> Codes { get; init; }

    /// <summary>Codes per row.</summary>
    public required int Side { get; init; }

    /// <summary>Layer of the GPT whose attention is shown, from 0.</summary>
    public required int AttentionLayer { get; init; }

    /// <summary>
    /// Attention of that layer, the mean of its heads, [T, T]: row t is the position that chose code t; column 0 is the text's embedding, column i code i − 1. What lies ahead has weight 0, and each row's sum is 1.
    /// </summary>
    public required float[] Attention { get; init; }

    /// <summary>The decoder's stages, in order.</summary>
    public required IReadOnlyList<DecoderStage> Stages { get; init; }

    /// <summary>Looks again at how the best candidate of a result came about: runs the GPT over its codes at once, and the decoder with every stage recorded.</summary>
    /// <param name="models">The models that made it.</param>
    /// <param name="tokenizer">Their tokenizer.</param>
    /// <param name="text">The text.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="result">What came out.</param>
    /// <param name="layer">Layer of the GPT whose attention is shown; null for the last.</param>
    /// <param name="cancellation">Ends the work between two models.</param>
    /// <exception cref="GenerationException">The GPT has no such layer.</exception>
    public static GenerationExplanation Make(PipelineModels models, ITextTokenizer tokenizer, string text, GenerationSettings settings, GenerationResult result, int? layer, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(result);
        using var span = Profiler.Enter("explain");
        var best = result.Order[0];
        var shown = LayerOf(models.GptConfig, layer);
        var words = WordEffects(models, tokenizer, text, settings, result.Pictures[best]);
        cancellation.ThrowIfCancellationRequested();
        var (codes, attention) = Choices(models, result, best, settings, shown);
        models.FreeGpt();
        cancellation.ThrowIfCancellationRequested();
        return new GenerationExplanation
        {
            Tokens = [.. result.Tokens.Ids.Take(result.Tokens.Length).Select(id => (id, id == tokenizer.StartToken ? "start" : id == tokenizer.EndToken ? "end" : tokenizer.Decode([id]).Trim()))],
            Words = words,
            Candidate = best,
            Codes = codes,
            Side = PictureCodec.Side(codes.Count),
            AttentionLayer = shown,
            Attention = attention,
            Stages = DecoderStages(models, result.Codes[best]),
        };
    }

    /// <summary>The layer to show.</summary>
    /// <exception cref="GenerationException">There is none of that number.</exception>
    public static int LayerOf(Gpt.GptConfig gpt, int? layer)
    {
        ArgumentNullException.ThrowIfNull(gpt);
        var shown = layer ?? gpt.Layers - 1;
        return shown >= 0 && shown < gpt.Layers ? shown : throw new GenerationException($"--explain-layer {shown}: the GPT has layers 0 to {gpt.Layers - 1}");
    }

    private static List<WordEffect> WordEffects(PipelineModels models, ITextTokenizer tokenizer, string text, GenerationSettings settings, Picture picture)
    {
        var clip = models.Clip;
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 2) return [];
        // One word at most for each of the model's positions: what is beyond is not seen anyway.
        var count = Math.Min(words.Length, clip.Config.ContextLength);
        string[] texts = [text, .. Enumerable.Range(0, count).Select(left => string.Join(' ', words.Where((_, i) => i != left)))];
        using var scope = new TensorScope();
        var seen = ClipEmbedder.EmbedPicture(clip, picture);
        var size = clip.Config.EmbeddingSize;
        var embeddings = clip.EncodeText([.. texts.Select(one => ClipEmbedder.Tokenize(clip.Config, tokenizer, one, !settings.Parity).Ids)]).L2Normalize().ToFloats();
        return [.. Enumerable.Range(0, count).Select(i => new WordEffect(words[i],
            ClipEmbedder.Similarity(embeddings.AsSpan(0, size), embeddings.AsSpan((i + 1) * size, size)), ClipEmbedder.Similarity(seen, embeddings.AsSpan((i + 1) * size, size))))];
    }

    private static (List<CodeChoice> Codes, float[] Attention) Choices(PipelineModels models, GenerationResult result, int best, GenerationSettings settings, int layer)
    {
        const int Shown = 5;
        using var scope = new TensorScope();
        var condition = models.Clip.EncodeText([result.Tokens.Ids]).L2Normalize();
        var gpt = models.Gpt;
        var (codes, classes) = (result.Codes[best], gpt.Config.Vocabulary);
        var before = gpt.Device.From(codes[..^1], new Shape(1, codes.Length - 1));
        // Softmax of the logits over the temperature: what was drawn from, before the filter.
        var guidance = settings.GuidanceOf(gpt.Config);
        var text = gpt.Forward(before, condition);
        var logits = guidance == 1 ? text : CodeSampler.Guided(text, gpt.Forward(before, gpt.Device.Zeros(condition.Shape)), guidance);
        var odds = logits.Affine(1 / settings.Temperature, 0).Softmax().ToFloats();
        List<CodeChoice> choices = [];
        for (var t = 0; t < codes.Length; t++)
        {
            var row = odds.AsSpan(t * classes, classes);
            var entropy = 0.0;
            foreach (var p in row)
                if (p > 0) entropy -= p * Math.Log2(p);
            var likely = row.ToArray().Select((p, code) => (Code: code, Probability: p)).OrderByDescending(pair => pair.Probability).Take(Shown).ToArray();
            var rank = 1;
            foreach (var p in row)
                if (p > row[codes[t]]) rank++;
            choices.Add(new CodeChoice(codes[t], row[codes[t]], rank, (float)entropy, likely));
        }
        return (choices, gpt.AttentionWeights(before, condition, layer));
    }

    private static List<DecoderStage> DecoderStages(PipelineModels models, int[] codes)
    {
        var vqgan = models.VqGan;
        var side = PictureCodec.Side(codes.Length);
        using var scope = new TensorScope();
        using var trace = new Trace();
        vqgan.DecodeCodes(vqgan.Device.From(codes, new Shape(1, side, side)));
        return [.. trace.Activations.Where(a => a.Shape.Rank == 4 && IsStage(a.Path)).Select(a => new DecoderStage(a.Path, a.Shape[1], a.Shape[3], a.Shape[2], Strength(a.Values, a.Shape[1])))];

        // decoder.conv_in, decoder.mid.0, decoder.up.3: the parts that follow each other, without what is inside them.
        static bool IsStage(string path) => path.Count(c => c == '.') is var dots && (dots == 1 || (dots == 2 && char.IsAsciiDigit(path[^1]) && !path.Contains(".final.", StringComparison.Ordinal)));
    }

    /// <summary>Root mean square over channels, per pixel.</summary>
    private static float[] Strength(float[] values, int channels)
    {
        var pixels = values.Length / channels;
        var sums = new double[pixels];
        for (var c = 0; c < channels; c++)
            for (var i = 0; i < pixels; i++) sums[i] += (double)values[c * pixels + i] * values[c * pixels + i];
        return [.. sums.Select(sum => (float)Math.Sqrt(sum / channels))];
    }
}

/// <summary>What a word of the text does.</summary>
/// <param name="Word">The word.</param>
/// <param name="WithoutIt">Cosine similarity of the text without it to the whole text: low for a word that matters.</param>
/// <param name="PictureWithoutIt">Cosine similarity of the text without it to the picture.</param>
public sealed record WordEffect(string Word, float WithoutIt, float PictureWithoutIt);

/// <summary>One code and what else it could have been.</summary>
/// <param name="Code">The code that was drawn.</param>
/// <param name="Probability">Its probability before the filter.</param>
/// <param name="Rank">Its place among all codes, 1 for the most likely.</param>
/// <param name="Entropy">Entropy of the choice in bits.</param>
/// <param name="Likely">The most likely codes and their probabilities.</param>
public sealed record CodeChoice(int Code, float Probability, int Rank, float Entropy, IReadOnlyList<(int Code, float Probability)> Likely);

/// <summary>A stage of the decoder.</summary>
/// <param name="Path">Its module path.</param>
/// <param name="Channels">Channels of its output.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Strength">Root mean square over the channels, per pixel, row by row.</param>
public sealed record DecoderStage(string Path, int Channels, int Width, int Height, float[] Strength);
