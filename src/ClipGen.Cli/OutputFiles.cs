using System.Text;
using ClipGen.Files;

namespace ClipGen.Cli;

/// <summary>Places to write to: checked before the work begins, so that minutes of it are not lost to a typing error.</summary>
internal static class OutputFiles
{
    /// <summary>Endings of picture files.</summary>
    public static readonly string[] PictureEndings = [".png", ".jpg", ".jpeg", ".webp"];

    /// <summary>Checks that a file can be written.</summary>
    /// <exception cref="UsageException">The ending is not one of those.</exception>
    /// <exception cref="JobException">The file can't be written there.</exception>
    public static void RequireWritable(string option, string path, params string[] endings)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new UsageException($"{option}: is empty; give a file name");
        if (endings.Length > 0 && !endings.Contains(Path.GetExtension(path).ToLowerInvariant()))
            throw new UsageException($"{option} {path}: expected a name that ends in {string.Join(", ", endings)}");
        if (Directory.Exists(path)) throw new JobException($"{option} {path}: is a folder; give a file name");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder)) throw new JobException($"{option} {path}: the folder {folder} does not exist; create it first");
        ProbeFolder(option, path, folder);
    }

    /// <summary>Checks that a file can be written, and is not the one that is read.</summary>
    /// <inheritdoc cref="RequireWritable"/>
    /// <exception cref="UsageException">It is, or the ending is not one of those.</exception>
    public static void RequireOther(string option, string path, string read, params string[] endings)
    {
        RequireWritable(option, path, endings);
        if (Path.GetFullPath(read) == Path.GetFullPath(path)) throw new UsageException($"{option} {path}: is the file to read; choose another name");
    }

    /// <summary>Checks that a folder can be written to, or created; creates nothing, so that a job that fails leaves nothing behind.</summary>
    /// <exception cref="UsageException">No name is given.</exception>
    /// <exception cref="JobException">It can't be created or written to.</exception>
    public static void RequireFolder(string option, string path)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new UsageException($"{option}: is empty; give a folder");
        var existing = Path.GetFullPath(path);
        while (!Directory.Exists(existing))
        {
            if (File.Exists(existing)) throw new JobException($"{option} {path}: {existing} is a file; give a folder");
            existing = Path.GetDirectoryName(existing) ?? throw new JobException($"{option} {path}: can't be created; choose another folder");
        }
        ProbeFolder(option, path, existing);
    }

    /// <summary>Writes a text file: it appears whole or not at all.</summary>
    /// <exception cref="JobException">It can't be written.</exception>
    public static void WriteText(string option, string path, string text) =>
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)), (reason, cause) => new JobException($"{option} {path}: can't be written: {reason}"));

    private static void ProbeFolder(string option, string path, string folder)
    {
        try
        {
            using var probe = new FileStream(Path.Combine(folder, $".clipgen-{Guid.NewGuid():N}"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new JobException($"{option} {path}: can't be written ({failure.Message}); choose another place");
        }
    }
}
