using ClipGen.Data;
using ClipGen.Kernels;
using ClipGen.Tensors;

namespace ClipGen.Models.Pipeline;

/// <summary>
/// Text to pictures (CLIP-GEN): the text's CLIP embedding conditions the GPT, which writes the codes of several pictures; the VQ-GAN's
/// decoder paints them; CLIP ranks them against the text.
/// </summary>
public sealed class TextToImage(PipelineModels models, ITextTokenizer tokenizer)
{
    /// <summary>The text as CLIP will see it, to warn of words that do not fit.</summary>
    /// <exception cref="Tensors.Nn.WeightException">The CLIP model was trained with another vocabulary.</exception>
    public TokenizedText Tokenize(string text, GenerationSettings settings) => ClipEmbedder.Tokenize(models.Clip.Config, tokenizer, text, keepEnd: !settings.Parity);

    /// <summary>Makes pictures.</summary>
    /// <param name="text">What should be on them.</param>
    /// <param name="settings">How.</param>
    /// <param name="progress">Told what is being done and how far it is.</param>
    /// <param name="cancellation">Ends the work at the next code or picture.</param>
    /// <exception cref="GenerationException">A setting is out of range, or the model knows no word of the text.</exception>
    public GenerationResult Generate(string text, GenerationSettings settings, IGenerationProgress progress, CancellationToken cancellation = default)
    {
        settings.Validate();
        ClipEmbedder.UnknownWords(tokenizer, text);
        var tokens = Tokenize(text, settings);
        using var scope = new TensorScope();
        progress.Begin(GenerationStage.Text, 1);
        var condition = models.Clip.EncodeText([tokens.Ids]).L2Normalize();
        ClipEmbedder.Finite(condition.ToFloats(), "text");
        progress.Report(1);

        var gpt = models.Gpt;
        var length = gpt.Config.BlockSize;
        var codes = new int[settings.Candidates][];
        progress.Begin(GenerationStage.Codes, (long)settings.Candidates * length);
        for (var first = 0; first < settings.Candidates; first += settings.Batch)
        {
            var count = Math.Min(settings.Batch, settings.Candidates - first);
            var done = (long)first * length;
            CodeSampler.Sample(gpt, condition, first, count, settings, position => progress.Report(done + (long)position * count), cancellation).CopyTo(codes, first);
        }
        // The GPT is by far the largest; what follows does not need it.
        models.FreeGpt();

        var pictures = new Picture[settings.Candidates];
        var scores = new float[settings.Candidates];
        progress.Begin(GenerationStage.Pictures, settings.Candidates);
        var together = PictureCodec.DecodedTogether(models.VqGan, length, settings.Batch);
        for (var first = 0; first < settings.Candidates; first += together)
        {
            cancellation.ThrowIfCancellationRequested();
            using var span = Profiler.Enter("pictures");
            using var inner = new TensorScope();
            var painted = PictureCodec.Paint(models.VqGan, codes[first..Math.Min(first + together, settings.Candidates)]);
            PictureCodec.Pictures(painted).CopyTo(pictures, first);
            ClipEmbedder.Finite(Reranker.Score(models.Clip, painted, condition, settings.Parity), "picture").CopyTo(scores, first);
            progress.Report(first + painted.Shape[0]);
        }
        return new GenerationResult(tokens, codes, pictures, scores, [.. Reranker.Order(scores).Take(settings.Keep)]);
    }

    /// <summary>Frames of a picture growing row by row of codes; what is not yet written is decoded from empty latents and shown grey.</summary>
    /// <param name="codes">A picture's codes.</param>
    /// <param name="cancellation">Ends the work at the next frame.</param>
    public IReadOnlyList<Picture> Growth(int[] codes, CancellationToken cancellation = default)
    {
        var side = PictureCodec.Side(codes.Length);
        var vqgan = models.VqGan;
        List<Picture> frames = [];
        for (var row = 1; row <= side; row++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = new TensorScope();
            var latents = vqgan.Embed(vqgan.Device.From(codes, new Shape(1, side, side)));
            var written = row * side * vqgan.CodeSize;
            if (row < side) vqgan.Device.Backend.Fill(0, latents.Floats.Slice(written, latents.Count - written));
            var painted = vqgan.Decode(latents);
            var values = painted.ToFloats();
            values.AsSpan(row * vqgan.Factor * painted.Shape[2] * 3).Clear();
            frames.Add(PictureTransforms.FromVqGan(values, painted.Shape[2], painted.Shape[1]));
        }
        return frames;
    }
}

/// <summary>What came out.</summary>
/// <param name="Tokens">The text as CLIP saw it.</param>
/// <param name="Codes">Codes of every candidate.</param>
/// <param name="Pictures">Every candidate.</param>
/// <param name="Scores">Cosine similarity of each with the text.</param>
/// <param name="Order">The kept candidates, best first.</param>
public sealed record GenerationResult(TokenizedText Tokens, IReadOnlyList<int[]> Codes, IReadOnlyList<Picture> Pictures, IReadOnlyList<float> Scores, IReadOnlyList<int> Order)
{
    /// <summary>The kept pictures in a grid, 4 per row with 2 pixels between them.</summary>
    public Picture Grid() => PictureGrid.Make([.. Order.Select(n => Pictures[n])], 4, 2);
}

/// <summary>What a generation is busy with.</summary>
public enum GenerationStage
{
    /// <summary>Embedding the text.</summary>
    Text,

    /// <summary>Writing codes; counted in codes of all candidates.</summary>
    Codes,

    /// <summary>Painting and ranking; counted in pictures.</summary>
    Pictures,
}

/// <summary>Is told how far a generation is.</summary>
public interface IGenerationProgress
{
    /// <summary>A stage begins, with this much to do.</summary>
    void Begin(GenerationStage stage, long total);

    /// <summary>So much of it is done.</summary>
    void Report(long done);
}
