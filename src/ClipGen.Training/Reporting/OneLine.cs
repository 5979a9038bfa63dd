using System.Text;

namespace ClipGen.Training.Reporting;

/// <summary>Text from outside (options, paths, checkpoints) as one line of a terminal or a message.</summary>
internal static class OneLine
{
    /// <summary>The text with line breaks as blanks and other control characters as escapes, so that it can't command a terminal.</summary>
    public static string Of(string text)
    {
        if (!text.Any(IsHidden)) return text;
        var line = new StringBuilder(text.Length);
        foreach (var c in text.ReplaceLineEndings(" "))
        {
            if (IsHidden(c)) line.Append($"\\u{(int)c:x4}");
            else line.Append(c);
        }
        return line.ToString();
    }

    private static bool IsHidden(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
