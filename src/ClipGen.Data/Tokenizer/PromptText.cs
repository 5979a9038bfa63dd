using System.Globalization;
using System.Text;

namespace ClipGen.Data;

/// <summary>How CLIP cleans a text and cuts it into words.</summary>
internal static class PromptText
{
    /// <summary>Written in a text, these stand for the tokens themselves.</summary>
    public const string Start = "<start_of_text>", End = "<end_of_text>";

    private static readonly string[] Contractions = ["s", "t", "re", "ve", "m", "ll", "d"];

    /// <summary>HTML references resolved twice, blanks at the ends removed, runs of blanks made one, lower case.</summary>
    public static string Clean(string text) =>
        LowerCase.Of(Collapse(HtmlText.Unescape(HtmlText.Unescape(text)).AsSpan().Trim(StripBlanks)).Trim(StripBlanks).ToString());

    /// <summary>
    /// The matches of <c>&lt;start_of_text&gt;|&lt;end_of_text&gt;|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+</c>, ignoring case,
    /// one after the other; <see cref="Clean"/> comes first.
    /// </summary>
    public static IEnumerable<string> Words(string text)
    {
        for (var at = 0; at < text.Length;)
        {
            var length = Special(text, at);
            if (length == 0) length = Contraction(text, at);
            if (length == 0)
            {
                var kind = KindAt(text, at, out length);
                if (kind == Kind.Unmatched)
                {
                    at += length;
                    continue;
                }
                // Numbers stand alone. Only the first place of a run can begin a special word: the pattern is greedy.
                while (kind != Kind.Number && at + length < text.Length && KindAt(text, at + length, out var more) == kind) length += more;
            }
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private enum Kind
    {
        Letter,
        Number,
        Other,

        /// <summary>Blanks, and what no part of the pattern takes.</summary>
        Unmatched,
    }

    private static Kind KindAt(string text, int at, out int length)
    {
        Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out length);
        // Ignoring case, the combining iota (a mark) counts as a letter where the pattern excludes letters, but not where it takes them.
        if (IsPatternBlank(rune.Value) || rune.Value == 0x345) return Kind.Unmatched;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }

    private static int Special(string text, int at)
    {
        if (text[at] != '<') return 0;
        return MatchesFolded(text, at, Start) ? Start.Length : MatchesFolded(text, at, End) ? End.Length : 0;
    }

    private static int Contraction(string text, int at)
    {
        if (text[at] != '\'') return 0;
        foreach (var ending in Contractions)
            if (MatchesFolded(text, at + 1, ending))
                return 1 + ending.Length;
        return 0;
    }

    // The text is lower case already; of what is left, only the long s folds to a letter of these words.
    private static bool MatchesFolded(string text, int at, string word)
    {
        if (at + word.Length > text.Length) return false;
        for (var i = 0; i < word.Length; i++)
            if ((text[at + i] == '\u017F' ? 's' : text[at + i]) != word[i])
                return false;
        return true;
    }

    private static ReadOnlySpan<char> Collapse(ReadOnlySpan<char> text)
    {
        var result = new StringBuilder(text.Length);
        var inBlank = false;
        foreach (var c in text)
        {
            var blank = IsPatternBlank(c);
            if (!blank) result.Append(c);
            else if (!inBlank) result.Append(' ');
            inBlank = blank;
        }
        return result.ToString();
    }

    // Unicode's White_Space: the pattern's \s.
    private static bool IsPatternBlank(int c) =>
        c is (>= 9 and <= 13) or ' ' or 0x85 or 0xA0 or 0x1680 or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000;

    // Stripping also takes the four separators of ASCII.
    private const string StripBlanks =
        "\t\n\v\f\r\u001C\u001D\u001E\u001F \u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000";
}
