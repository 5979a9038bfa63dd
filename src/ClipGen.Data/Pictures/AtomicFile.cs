namespace ClipGen.Data;

/// <summary>Writes a file so that its name never shows half of it: into a sibling, flushed to the disk, then renamed.</summary>
internal static class AtomicFile
{
    /// <summary>Writes the bytes under the name, in place of what may be there.</summary>
    /// <exception cref="DataException">The file cannot be written; what was there before stays.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        string? temporary = null;
        try
        {
            var target = Path.GetFullPath(path);
            var folder = Path.GetDirectoryName(target) ?? throw new IOException("it names no file");
            if (!Directory.Exists(folder)) throw new IOException($"there is no folder {folder}");
            if (Directory.Exists(target)) throw new IOException("it is a folder");
            temporary = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                file.Write(bytes);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e)
        {
            Remove(temporary);
            if (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
                throw new DataException($"{path}: cannot write the file: {e.Message}", e);
            throw;
        }
    }

    private static void Remove(string? temporary)
    {
        if (temporary is null) return;
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to report.
        }
    }
}
