using System.Globalization;
using System.Text;

namespace ClipGen.Data;

/// <summary>
/// Unicode's full lower-casing, independent of any language, as Python's <c>str.lower</c>: .NET maps code point by code point, so the
/// two cases that need more are added here, the dotted capital I (two code points) and the sigma that ends a word.
/// </summary>
internal static class LowerCase
{
    /// <summary>The text in lower case; lone surrogates become U+FFFD.</summary>
    public static string Of(string text)
    {
        var result = new StringBuilder(text.Length);
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == 0x130) result.Append("i\u0307");
            else if (rune.Value == 0x3A3) result.Append(EndsWord(text, at) ? '\u03C2' : '\u03C3');
            else Append(result, Rune.ToLowerInvariant(rune));
            at += rune.Utf16SequenceLength;
        }
        return result.ToString();
    }

    // Unicode's Final_Sigma: a cased letter before, none after; characters that case ignores don't count.
    private static bool EndsWord(string text, int sigma)
    {
        var before = sigma;
        var found = false;
        while (!found && before > 0)
        {
            Rune.DecodeLastFromUtf16(text.AsSpan(0, before), out var rune, out var length);
            if (!IsIgnorable(rune))
            {
                if (!IsCased(rune)) return false;
                found = true;
            }
            before -= length;
        }
        if (!found) return false;
        for (var after = sigma + 1; after < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(after), out var rune, out var length);
            if (!IsIgnorable(rune)) return !IsCased(rune);
            after += length;
        }
        return true;
    }

    // Unicode's Case_Ignorable: marks, formats, modifiers, and the punctuation that joins the parts of a word.
    private static bool IsIgnorable(Rune rune) => Rune.GetUnicodeCategory(rune) is
            UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or
            UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
        || rune.Value is '\'' or '.' or ':' or 0xB7 or 0x387 or 0x55F or 0x5F4 or 0x2018 or 0x2019 or 0x2024 or 0x2027
            or 0xFE13 or 0xFE52 or 0xFE55 or 0xFF07 or 0xFF0E or 0xFF1A;

    // Unicode's Cased: letters with case, and the ordinals, Roman numerals and circled or squared letters that count as such.
    private static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune) is
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || rune.Value is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static void Append(StringBuilder result, Rune rune)
    {
        Span<char> units = stackalloc char[2];
        result.Append(units[..rune.EncodeToUtf16(units)]);
    }
}
