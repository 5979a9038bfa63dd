using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests;

/// <summary>The tokenizer of whole words.</summary>
public sealed class WordTokenizerTests
{
    private static readonly WordTokenizer Small = new(["red", "blue", "circle"]);

    [Fact]
    public void IdsAreWordsBetweenPaddingAndEnds()
    {
        Assert.Equal((4, 5, 6), (Small.StartToken, Small.EndToken, Small.VocabularySize));
        Assert.Equal([3, 1, 1, 2], Small.Encode("Circle, RED-red\tblue!"));
        var text = Small.Tokenize("red circle", 6);
        Assert.Equal([4, 1, 3, 5, 0, 0], text.Ids);
        Assert.Equal((4, false, ""), (text.Length, text.Truncated, text.DroppedText));
        Assert.Equal("red circle", Small.Decode(text.Ids));
        Assert.Contains("-1", Assert.Throws<DataException>(() => Small.Decode([1, -1])).Message);
        Assert.Contains("6", Assert.Throws<DataException>(() => Small.Decode([6])).Message);
    }

    [Fact]
    public void LongTextsKeepTheirEndIfAsked()
    {
        var kept = Small.Tokenize("red red blue circle", 5);
        Assert.Equal([4, 1, 1, 2, 5], kept.Ids);
        Assert.Equal((5, true, "circle"), (kept.Length, kept.Truncated, kept.DroppedText));
        var cut = Small.Tokenize("red red blue circle", 5, keepEnd: false);
        Assert.Equal([4, 1, 1, 2, 3], cut.Ids);
        Assert.Equal((true, ""), (cut.Truncated, cut.DroppedText));
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Tokenize("red", 1));
    }

    [Fact]
    public void UnknownWordsAreListedAndLeftOut()
    {
        Assert.Equal(["a", "dog", "d\u00E9j\u00E0"], Small.UnknownWords("A dog, a red DOG: d\u00E9j\u00E0 \uD800"));
        Assert.Equal([4, 1, 5, 0], Small.Tokenize("a red dog", 4).Ids);
        Assert.Empty(Small.UnknownWords("red circle"));
        ITextTokenizer clip = ClipTokenizer.FromMerges([]);
        Assert.Empty(clip.UnknownWords("anything at all"));
    }

    [Fact]
    public void VocabularySurvivesItsText()
    {
        var tokenizer = new WordTokenizer(ShapeCaptions.Words);
        var read = WordTokenizer.Parse(tokenizer.Vocabulary);
        Assert.Equal(tokenizer.Words, read.Words);
        for (var n = 0; n < 200; n++)
        {
            var caption = ShapeCaptions.Canonical(ShapesWorld.Scene(1, ShapesSplit.Train, n));
            Assert.Empty(read.UnknownWords(caption));
            var text = read.Tokenize(caption, ShapeCaptions.ContextLength);
            Assert.False(text.Truncated);
            Assert.Equal(read.EndToken, text.Ids.Max());
            Assert.Equal(caption, read.Decode(text.Ids));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("red blue red")]
    [InlineData("red Blue")]
    [InlineData("red-blue")]
    public void OtherVocabulariesAreRefused(string text) => Assert.Throws<DataException>(() => WordTokenizer.Parse(text));
}
