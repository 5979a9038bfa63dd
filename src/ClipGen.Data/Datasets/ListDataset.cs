namespace ClipGen.Data.Datasets;

/// <summary>
/// The pictures that a text file names, one path a line, in its order; a picture may be named twice. Relative paths start at the list's folder. Blank lines and lines that
/// begin with # say nothing.
/// </summary>
public sealed class ListDataset : FileDataset
{
    private const long LargestFile = 1L << 30;

    /// <summary>Opens a list.</summary>
    /// <exception cref="DataException">The list is missing, cannot be read, is no text, names no picture, or names a file that is missing.</exception>
    public ListDataset(string path)
        : base(path, Read(path))
    {
    }

    private static string[] Read(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        var found = new List<string>();
        (long Line, string Path)? missing = null;
        var alsoMissing = 0L;
        try
        {
            if (new FileInfo(path).Length > LargestFile)
                throw new DataException($"{path}: the file is larger than {LargestFile:N0} bytes; a list holds one path of a picture a line");
            var number = 0L;
            foreach (var line in File.ReadLines(path))
            {
                number++;
                if (line.Contains('\0')) throw new DataException($"{path}: this is no list of pictures: line {number:N0} is not text");
                var entry = line.Trim();
                if (entry.Length == 0 || entry[0] == '#') continue;
                var file = Path.Combine(folder, entry);
                if (File.Exists(file)) found.Add(file);
                else if (missing is null) missing = (number, file);
                else alsoMissing++;
            }
        }
        catch (FileNotFoundException e)
        {
            throw new DataException($"{path}: there is no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot read the list: {e.Message}", e);
        }
        if (missing is var (where, name))
            throw new DataException($"{path}, line {where:N0}: there is no file {name}{(alsoMissing > 0 ? $" (and {alsoMissing:N0} more are missing)" : "")}; paths in a list start at its folder");
        return found.Count > 0 ? [.. found] : throw new DataException($"{path}: the list names no picture; it has to hold one path a line");
    }
}
