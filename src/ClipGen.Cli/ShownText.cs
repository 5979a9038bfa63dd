using System.Text;

namespace ClipGen.Cli;

/// <summary>Text from files and prompts as a terminal may see it.</summary>
internal static class ShownText
{
    /// <summary>The text with control characters as escapes, so that it can neither break the line nor command the terminal.</summary>
    public static string Of(string text)
    {
        if (!text.Any(IsHidden)) return text;
        var shown = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (IsHidden(c)) shown.Append($"\\u{(int)c:x4}");
            else shown.Append(c);
        }
        return shown.ToString();
    }

    private static bool IsHidden(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
