namespace ClipGen.Cli;

/// <summary>Text files that are part of the program.</summary>
internal static class EmbeddedText
{
    /// <summary>All of one.</summary>
    public static string Read(string name)
    {
        using var resource = typeof(EmbeddedText).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    }
}
