namespace ClipGen.Data;

/// <summary>A file or text from outside is not what it has to be. The message is one line that names the file and says what is wrong.</summary>
public sealed class DataException : Exception
{
    /// <summary>An error with its message.</summary>
    public DataException(string message)
        : base(OneLine(message))
    {
    }

    /// <summary>An error with its message and what led to it.</summary>
    public DataException(string message, Exception? inner)
        : base(OneLine(message), inner)
    {
    }

    // Native libraries end their messages with line breaks, and file names may hold anything.
    private static string OneLine(string message)
    {
        var line = string.Join("; ", message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        return string.Create(line.Length, line, (span, text) =>
        {
            for (var i = 0; i < text.Length; i++) span[i] = char.IsControl(text[i]) ? '?' : text[i];
        });
    }
}
