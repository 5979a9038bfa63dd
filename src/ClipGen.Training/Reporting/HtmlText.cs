using System.Net;

namespace ClipGen.Training.Reporting;

/// <summary>Text from outside inside HTML.</summary>
public static class HtmlText
{
    /// <summary>The text with HTML's own characters escaped, safe in content and in quoted attributes; control characters other than line breaks and tabs become U+FFFD.</summary>
    public static string Of(string text) => WebUtility.HtmlEncode(string.Concat(text.Select(c => char.IsControl(c) && c is not ('\n' or '\t') ? '\uFFFD' : c)));
}
