namespace ClipGen.Cli;

/// <summary>Checks of places to write to, before the work begins.</summary>
internal static class OutputFiles
{
    /// <exception cref="UsageException">The ending is not one of those.</exception>
    /// <exception cref="JobException">The file can't be written there.</exception>
    public static void RequireWritable(string option, string path, params string[] endings)
    {
        if (endings.Length > 0 && !endings.Contains(Path.GetExtension(path).ToLowerInvariant()))
            throw new UsageException($"{option} {path}: expected a name that ends in {string.Join(", ", endings)}");
        if (Directory.Exists(path)) throw new JobException($"{option} {path}: is a folder; give a file name");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder)) throw new JobException($"{option} {path}: the folder {folder} does not exist; create it first");
        ProbeFolder(option, path, folder);
    }

    /// <summary>Creates a folder for results.</summary>
    /// <exception cref="JobException">It can't be created or written to.</exception>
    public static void RequireFolder(string option, string path)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new JobException($"{option} {path}: can't be created ({failure.Message})");
        }
        ProbeFolder(option, path, path);
    }

    private static void ProbeFolder(string option, string path, string folder)
    {
        try
        {
            using var probe = new FileStream(Path.Combine(folder, $".clipgen-{Guid.NewGuid():N}"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new JobException($"{option} {path}: can't be written ({failure.Message})");
        }
    }
}
