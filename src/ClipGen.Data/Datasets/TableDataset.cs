namespace ClipGen.Data.Datasets;

/// <summary>
/// The pictures that a table names in its column <c>filepath</c>: tabs between columns, a title line, paths from the table's folder. Files that are not there are found out when they are asked for, and passed over like
/// damaged ones: of the addresses that such tables were made from, some never answer. A column <c>caption</c>, <c>title</c> or <c>text</c> holds sentences about them.
/// </summary>
public sealed class TableDataset : FileDataset
{
    private const string Column = "filepath";
    private const long LargestFile = 1L << 30;
    private readonly string[] captions;

    /// <summary>Opens a table.</summary>
    /// <exception cref="DataException">It is missing, no table, or names no picture.</exception>
    public TableDataset(string path)
        : this(path, Read(path))
    {
    }

    private TableDataset(string path, (string[] Files, string[] Captions) read)
        : base(path, read.Files) => captions = read.Captions;

    private protected override IReadOnlyList<string> Captions(long index) => CaptionText.Said([captions[index]]);

    private static (string[] Files, string[] Captions) Read(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        List<string> found = [], captions = [];
        try
        {
            if (new FileInfo(path).Length > LargestFile) throw new DataException($"{path}: the file is larger than {LargestFile:N0} bytes; a table holds one line a picture");
            var (number, column, captionColumn) = (0L, -1, -1);
            foreach (var line in File.ReadLines(path))
            {
                number++;
                if (line.Contains('\0')) throw new DataException($"{path}: this is no table of pictures: line {number:N0} is not text");
                var cells = line.Split('\t');
                if (number == 1)
                {
                    int Find(string title) => Array.FindIndex(cells, cell => cell.Trim().Equals(title, StringComparison.OrdinalIgnoreCase));
                    column = Find(Column);
                    captionColumn = CaptionText.Keys.Select(Find).FirstOrDefault(place => place >= 0, -1);
                    if (column < 0) throw new DataException($"{path}: its first line names no column \"{Column}\"; expected names of columns with tabs between them");
                    continue;
                }
                if (line.Length == 0) continue;
                if (cells.Length <= column || cells[column].Trim() is not { Length: > 0 } entry) throw new DataException($"{path}, line {number:N0}: has no cell in the column \"{Column}\"");
                found.Add(Path.Combine(folder, entry));
                captions.Add(captionColumn >= 0 && captionColumn < cells.Length ? cells[captionColumn] : "");
            }
        }
        catch (FileNotFoundException e)
        {
            throw new DataException($"{path}: there is no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{path}: cannot read the table: {e.Message}", e);
        }
        return found.Count > 0 ? ([.. found], [.. captions]) : throw new DataException($"{path}: the table names no picture");
    }
}
