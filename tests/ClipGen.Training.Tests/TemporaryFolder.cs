namespace ClipGen.Training.Tests;

/// <summary>A folder that goes away with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("clipgen-training-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string[] Names => NamesIn(Path);

    public static string[] NamesIn(string folder) => [.. Directory.GetFileSystemEntries(folder).Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
