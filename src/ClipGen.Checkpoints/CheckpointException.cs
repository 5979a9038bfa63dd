using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>A file that can't be read or written as a checkpoint. The message is one line: the file, what was expected, what was found, what to do.</summary>
public sealed class CheckpointException : Exception
{
    private const int LongestMessage = 1000;

    /// <summary>An error about a file; the path is put in front of the message.</summary>
    public CheckpointException(string path, string message, Exception? innerException = null)
        : base(OneLine($"{path}: {message}"), innerException) => Path = path;

    /// <summary>The file.</summary>
    public string Path { get; }

    // Names inside hostile files may hold line breaks and terminal escapes, and may be long; a message must not pass them on.
    private static string OneLine(string text)
    {
        var line = new StringBuilder(Math.Min(text.Length, LongestMessage));
        foreach (var c in text)
        {
            if (line.Length >= LongestMessage) return line.Append("...").ToString();
            if (char.IsControl(c) || c is '\u2028' or '\u2029') line.Append($"\\u{(int)c:x4}");
            else line.Append(c);
        }
        return line.ToString();
    }
}
