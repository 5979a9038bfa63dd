using System.IO.Enumeration;

namespace ClipGen.Data.Datasets;

/// <summary>
/// The pictures of a folder and the folders in it, in ordinal order of their paths below it: the same on every system. Files count by their extension
/// (<see cref="Extensions"/>); hidden files and folders and links to folders are left out.
/// </summary>
public sealed class FolderDataset : FileDataset
{
    /// <summary>Opens a folder.</summary>
    /// <exception cref="DataException">The folder is missing, cannot be read, or holds no picture.</exception>
    public FolderDataset(string path)
        : base(path, Find(path))
    {
    }

    /// <summary>Extensions of picture files, in lower case; upper case counts as well.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".avif", ".bmp"];

    /// <summary>Whether a file name has one of the <see cref="Extensions"/>.</summary>
    public static bool IsPictureName(ReadOnlySpan<char> name)
    {
        var extension = Path.GetExtension(name);
        foreach (var known in Extensions)
            if (extension.Equals(known, StringComparison.OrdinalIgnoreCase))
                return true;
        return false;
    }

    private static string[] Find(string path)
    {
        if (!Directory.Exists(path)) throw new DataException($"{path}: there is no such folder");
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = false };
        var files = 0L;
        var found = new List<string>();
        try
        {
            // A link to a folder may lead back to where it stands.
            var entries = new FileSystemEnumerable<string>(path, (ref FileSystemEntry entry) => entry.ToFullPath(), options)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && ++files > 0 && IsPictureName(entry.FileName),
                ShouldRecursePredicate = (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
            };
            found.AddRange(entries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot list the folder: {e.Message}", e);
        }
        if (found.Count == 0)
            throw new DataException(files == 0
                ? $"{path}: the folder is empty; pictures are files that end in {string.Join(", ", Extensions)}"
                : $"{path}: none of the {files:N0} files in the folder is a picture; pictures end in {string.Join(", ", Extensions)}");
        return [.. found.OrderBy(file => Path.GetRelativePath(path, file).Replace(Path.DirectorySeparatorChar, '/'), StringComparer.Ordinal)];
    }
}
