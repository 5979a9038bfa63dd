namespace ClipGen.Data.Tests;

/// <summary>A folder that goes away with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("clipgen-data-").FullName;

    public string this[string name] => Path.Combine(Root, name);

    public string[] Names => [.. Directory.GetFileSystemEntries(Root).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];

    public string Write(string name, byte[] bytes)
    {
        // File systems flush a file that is cut to nothing and written again; thousands of mutants would wait for the disk.
        File.Delete(this[name]);
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
