namespace ClipGen.Data.Tests;

/// <summary>Cleaning and splitting of prompts; expected values are Python's <c>html.unescape</c>, <c>str.lower</c> and the pattern's matches.</summary>
public sealed class TextCleaningTests
{
    [Theory]
    [InlineData("&amp;amp;", "&amp;")]
    [InlineData("&notit;", "\u00ACit;")]
    [InlineData("&notin;", "\u2209")]
    [InlineData("&notinx", "\u00ACinx")]
    [InlineData("&ltx", "<x")]
    [InlineData("&acE;", "\u223E\u0333")]
    [InlineData("&#128;&#x80;&#150;", "\u20AC\u20AC\u2013")]
    [InlineData("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\uFFFD\uFFFD\uFFFD\uFFFD")]
    [InlineData("&#1;x&#xFFFE;&#x1FFFF;&#11;&#127;", "x")]
    [InlineData("&#13;&#10;", "\r\n")]
    [InlineData("&#x41&#66", "AB")]
    [InlineData("&;&#;&#x;&", "&;&#;&#x;&")]
    [InlineData("&&amp;", "&&")]
    [InlineData("&a", "&a")]
    [InlineData("&CounterClockwiseContourIntegral;", "\u2233")]
    [InlineData("&AMP &Amp; &amp", "& &Amp; &")]
    [InlineData("&unknown; &nothing", "&unknown; \u00AChing")]
    [InlineData("&\U0001F600amp;", "&\U0001F600amp;")]
    public void ReferencesFollowHtml5(string text, string expected) => Assert.Equal(expected, HtmlText.Unescape(text));

    [Theory]
    [InlineData("\u0130", "i\u0307")]
    [InlineData("\u039F\u0394\u039F\u03A3", "\u03BF\u03B4\u03BF\u03C2")]
    [InlineData("\u03A3", "\u03C3")]
    [InlineData("A\u03A3 \u03A3A", "a\u03C2 \u03C3a")]
    [InlineData("A\u03A3\u03A3.", "a\u03C3\u03C2.")]
    [InlineData("A'\u03A3", "a'\u03C2")]
    [InlineData("A\u03A3'B", "a\u03C3'b")]
    [InlineData("1\u03A3", "1\u03C3")]
    [InlineData("\u2160\u03A3", "\u2170\u03C2")]
    [InlineData("\U00010400\u03A3", "\U00010428\u03C2")]
    [InlineData("\u1E9E\u2126\u212A\u212B\u01C5", "\u00DF\u03C9k\u00E5\u01C6")]
    [InlineData("\u017F\u0131", "\u017F\u0131")]
    public void LowerCasingIsFull(string text, string expected) => Assert.Equal(expected, LowerCase.Of(text));

    [Theory]
    [InlineData("  two \t\r\n blanks\u00A0\u3000", "two blanks")]
    [InlineData("\u001Cfile\u001Dsep\u001E", "file\u001Dsep")]
    [InlineData("&amp;nbsp;x&nbsp;", "x")]
    [InlineData("zero\u200Bwidth", "zero\u200Bwidth")]
    public void BlanksCollapse(string text, string expected) => Assert.Equal(expected, PromptText.Clean(text));

    [Theory]
    [InlineData("it's 'tis y'all'd", "it|'s|'t|is|y|'|all|'d")]
    [InlineData("it'\u017F", "it|'\u017F")]
    [InlineData("''s", "''|s")]
    [InlineData("a1b22", "a|1|b|2|2")]
    [InlineData("x<end_of_text>y", "x|<end_of_text>|y")]
    [InlineData("!<end_of_text>", "!<|end|_|of|_|text|>")]
    [InlineData("<end_of_text", "<|end|_|of|_|text")]
    [InlineData("a\u0345b!\u0345!", "a|b|!|!")]
    [InlineData("\U0001D49C\U0001F600\u2460\u0301", "\U0001D49C|\U0001F600|\u2460|\u0301")]
    public void WordsFollowThePattern(string text, string expected) => Assert.Equal(expected.Split('|'), PromptText.Words(text));

    [Fact]
    public void LongRunsAreLinear()
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        foreach (var part in new[] { "&", "&amp", "\u03A3'", "'\u03A3", "<", "' ", "&#", "a\u0301" })
        {
            var text = string.Concat(Enumerable.Repeat(part, (1 << 19) / part.Length));
            Assert.NotEmpty(PromptText.Words(PromptText.Clean(text)).ToList());
        }
        // Half a megabyte each; a quadratic step would take hours, a busy machine some seconds.
        Assert.True(watch.Elapsed.TotalSeconds < 30, $"took {watch.Elapsed}");
    }
}
