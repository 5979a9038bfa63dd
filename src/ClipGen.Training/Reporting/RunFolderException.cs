namespace ClipGen.Training.Reporting;

/// <summary>A run's folder or one of its files can't be used. The message is one line: the path, what is wrong, what to do.</summary>
/// <param name="path">The folder or file; it is put in front of the message.</param>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="inner">What led to it.</param>
public sealed class RunFolderException(string path, string message, Exception? inner = null) : IOException(OneLine.Of($"{path}: {message}"), inner)
{
    /// <summary>The folder or file.</summary>
    public string Path { get; } = path;

    /// <summary>A file that can't be written.</summary>
    internal static RunFolderException Unwritable(string path, string reason, Exception? cause) => new(path, $"can't be written: {reason}", cause);
}
