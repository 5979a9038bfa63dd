using ClipGen.Data;
using ClipGen.Models.Clip;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models.Pipeline;

/// <summary>Texts and pictures as normalised CLIP embeddings.</summary>
public static class ClipEmbedder
{
    /// <summary>Texts as CLIP takes them.</summary>
    /// <param name="clip">The model's sizes.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="text">The text.</param>
    /// <param name="keepEnd">Whether an over-long text keeps its end token.</param>
    /// <exception cref="WeightException">The model was trained with another vocabulary.</exception>
    public static TokenizedText Tokenize(ClipConfig clip, ITextTokenizer tokenizer, string text, bool keepEnd = true)
    {
        if (tokenizer.VocabularySize != clip.VocabularySize)
            throw new WeightException($"this CLIP model knows {clip.VocabularySize} token ids, the vocabulary has {tokenizer.VocabularySize}; give the model and the vocabulary that belong together (--clip, --vocab)");
        return tokenizer.Tokenize(text, clip.ContextLength, keepEnd);
    }

    /// <summary>
    /// What to tell about the words of a text that a model with a closed vocabulary does not know, or null if it knows them all: which they are, and which it knows.
    /// Such words are left out, so that the text means less than it says.
    /// </summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="text">The text.</param>
    /// <param name="option">What a message calls the text.</param>
    /// <exception cref="GenerationException">It knows none: the embedding would not depend on the text.</exception>
    public static string? UnknownWords(ITextTokenizer tokenizer, string text, string option = "--text")
    {
        if (tokenizer is not WordTokenizer vocabulary) return null;
        var unknown = vocabulary.UnknownWords(text);
        var known = $"it knows {string.Join(", ", vocabulary.Words)}";
        if (vocabulary.Encode(text).Count == 0) throw new GenerationException($"{option}: has no word that this CLIP model knows; {known}");
        return unknown.Count == 0 ? null : $"this CLIP model does not know {string.Join(", ", unknown.Select(word => $"\"{word}\""))}; {known}";
    }

    /// <summary>The embedding of a tokenized text, of length 1.</summary>
    public static float[] EmbedText(ClipModel clip, TokenizedText text)
    {
        using var scope = new TensorScope();
        return Finite(clip.EncodeText([text.Ids]).L2Normalize().ToFloats(), "text");
    }

    /// <summary>The embedding of a picture of any size, of length 1.</summary>
    public static float[] EmbedPicture(ClipModel clip, Picture picture)
    {
        using var scope = new TensorScope();
        var size = clip.Config.ImageSize;
        var input = clip.Device.From(PictureTransforms.ToClip(Prepare(picture, size)), new Shape(1, size, size, 3));
        return Finite(clip.EncodeImage(input).L2Normalize().ToFloats(), "picture");
    }

    /// <summary>OpenAI's preprocessing: short side resized (bicubic, antialiased), middle square cut out.</summary>
    public static Picture Prepare(Picture picture, int size)
    {
        var (shorter, longer) = (Math.Min(picture.Width, picture.Height), Math.Max(picture.Width, picture.Height));
        if (shorter != size)
        {
            var other = (long)((double)((long)size * longer) / shorter);
            if (other * size > Array.MaxLength / 3)
                throw new DataException($"a picture of {picture.Width} x {picture.Height} pixels is too long and thin to be resized to a short side of {size}");
            picture = picture.Width <= picture.Height ? PillowResize.Bicubic(picture, size, (int)other) : PillowResize.Bicubic(picture, (int)other, size);
        }
        return PictureTransforms.CenterCrop(picture, size);
    }

    /// <summary>The values, if they are numbers: NaN would spoil whatever follows without a word.</summary>
    /// <exception cref="WeightException">One is not.</exception>
    internal static float[] Finite(float[] values, string what) => Array.TrueForAll(values, float.IsFinite)
        ? values
        : throw new WeightException($"the CLIP model's output for a {what} is not a number; its checkpoint is damaged, get it again (--clip)");

    /// <summary>Cosine of the angle between two embeddings.</summary>
    public static float Similarity(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (var i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return (float)sum;
    }
}
