using System.Text;

namespace ClipGen.Data;

/// <summary>
/// HTML character references to characters, as HTML 5 says and Python's <c>html.unescape</c> does: numeric ones, all 2,231 names, and
/// names without their semicolon where the standard has them. (<see cref="System.Net.WebUtility"/> knows only HTML 4's names.)
/// </summary>
internal static class HtmlText
{
    // What the standard makes of C1 controls: the characters that Windows-1252 has there.
    private const string Windows1252 =
        "\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F" +
        "\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178";

    private const int LongestName = 32;
    private static readonly Dictionary<string, string> Names = ReadNames();
    private static readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> Lookup = Names.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Replaces each reference once; what a replacement makes is not looked at again.</summary>
    public static string Unescape(string text)
    {
        var at = text.IndexOf('&');
        if (at < 0) return text;
        var result = new StringBuilder(text.Length);
        var done = 0;
        for (; at >= 0; at = text.IndexOf('&', done))
        {
            result.Append(text, done, at - done);
            done = at + 1 < text.Length && text[at + 1] == '#' ? Number(text, at, result) : Name(text, at, result);
        }
        return result.Append(text, done, text.Length - done).ToString();
    }

    // &#digits; or &#xdigits; - appends its meaning and returns where the text goes on.
    private static int Number(string text, int at, StringBuilder result)
    {
        var hexadecimal = at + 2 < text.Length && text[at + 2] is 'x' or 'X';
        var start = at + (hexadecimal ? 3 : 2);
        var end = start;
        var value = 0;
        for (; end < text.Length; end++)
        {
            var digit = hexadecimal ? HexDigit(text[end]) : char.IsAsciiDigit(text[end]) ? text[end] - '0' : -1;
            if (digit < 0) break;
            // Saturates above the last code point, so that no number of digits overflows.
            value = Math.Min(value * (hexadecimal ? 16 : 10) + digit, 0x110000);
        }
        if (end == start)
        {
            result.Append('&');
            return at + 1;
        }
        AppendCodePoint(value, result);
        return end < text.Length && text[end] == ';' ? end + 1 : end;
    }

    private static void AppendCodePoint(int value, StringBuilder result)
    {
        if (value == '\r') result.Append('\r');
        else if (value is >= 0x80 and <= 0x9F) result.Append(Windows1252[value - 0x80]);
        else if (value is 0 or (>= 0xD800 and <= 0xDFFF) or > 0x10FFFF) result.Append('\uFFFD');
        else if (IsDropped(value)) return;
        else result.Append(char.ConvertFromUtf32(value));
    }

    // Controls and non-characters have no meaning in HTML; they vanish.
    private static bool IsDropped(int value) =>
        value is (>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF) || (value & 0xFFFE) == 0xFFFE;

    private static int Name(string text, int at, StringBuilder result)
    {
        var start = at + 1;
        var end = start;
        for (var points = 0; end < text.Length && points < LongestName && !IsNameEnd(text[end]); points++)
            end += char.IsSurrogatePair(text, end) ? 2 : 1;
        if (end > start && end < text.Length && text[end] == ';') end++;
        var name = text.AsSpan(start, end - start);
        // The longest known beginning counts: "&notit;" is "not" and "it;". A beginning of one character is never one.
        for (var length = name.Length; length > 1; length--)
        {
            if (!Lookup.TryGetValue(name[..length], out var meaning)) continue;
            result.Append(meaning).Append(name[length..]);
            return end;
        }
        result.Append('&').Append(name);
        return end;
    }

    private static bool IsNameEnd(char c) => c is '\t' or '\n' or '\f' or ' ' or '<' or '&' or '#' or ';';

    private static int HexDigit(char c) => char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : -1;

    private static Dictionary<string, string> ReadNames()
    {
        using var stream = typeof(HtmlText).Assembly.GetManifestResourceStream("html5-entities.txt")!;
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var names = new Dictionary<string, string>(2300, StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            var parts = line.Split(' ');
            names.Add(parts[0], string.Concat(parts[1..].Select(p => char.ConvertFromUtf32(Convert.ToInt32(p, 16)))));
        }
        return names;
    }
}
