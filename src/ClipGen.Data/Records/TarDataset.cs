using ClipGen.Data.Datasets;

namespace ClipGen.Data.Records;

/// <summary>
/// The pictures in tar archives, in their order there: shards of WebDataset (webdataset/webdataset), or any others. Neighbours whose names are equal up to the first dot behind the last slash are a sample; of it the first
/// member that ends as pictures do is the picture, one with a single ending (<c>x.jpg</c>) before any with several (<c>x.depth.png</c>). Archives in an archive (ImageNet's training set is a tar of a thousand) are gone through in their places.
/// A sample's <c>.txt</c>, one sentence a line, or <c>.json</c> with a <c>caption</c> says what is on the picture.
/// </summary>
public sealed class TarDataset : IStoredDataset, ICaptionSource, IDisposable
{
    private readonly RecordSource[] archives;
    private readonly List<Entry> pictures = [];
    private readonly Dictionary<int, (Entry Text, bool IsJson)> texts = [];

    /// <summary>Opens archives.</summary>
    /// <param name="name">What messages call the dataset.</param>
    /// <param name="paths">The archives.</param>
    /// <exception cref="DataException">One is missing or damaged, or no picture is in any.</exception>
    public TarDataset(string name, IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        Name = name;
        List<RecordSource> opened = [];
        archives = [];
        try
        {
            foreach (var path in paths)
            {
                var archive = RecordSource.Open(path);
                opened.Add(archive);
                Add(opened.Count - 1, archive, 0, archive.Length, "", mayNest: true);
            }
            if (pictures.Count == 0) throw new DataException($"{name}: no picture in {(opened.Count == 1 ? "the archive" : $"the {opened.Count} archives")}; pictures end in {string.Join(", ", FolderDataset.Extensions)}");
        }
        catch
        {
            opened.ForEach(archive => archive.Dispose());
            throw;
        }
        archives = [.. opened];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Count => pictures.Count;

    /// <summary>Number of archives.</summary>
    public int Archives => archives.Length;

    /// <summary>Whether a file name ends as tar archives do.</summary>
    public static bool IsArchiveName(string path) => Path.GetExtension(path).Equals(".tar", StringComparison.OrdinalIgnoreCase);

    /// <summary>The files that a pattern with ranges names: <c>shard-{000000..000146}.tar</c>, as many digits as the range's ends have.</summary>
    /// <exception cref="DataException">A range is none.</exception>
    public static IReadOnlyList<string> Expand(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        int open = pattern.IndexOf('{'), close = open < 0 ? -1 : pattern.IndexOf('}', open);
        if (close < 0) return [pattern];
        var ends = pattern[(open + 1)..close].Split("..");
        if (ends.Length != 2 || ends[0].Length is 0 or > 9 || ends[1].Length is 0 or > 9 || !int.TryParse(ends[0], out var first) || !int.TryParse(ends[1], out var last) || first > last || first < 0)
            throw new DataException($"{pattern}: {{{pattern[(open + 1)..close]}}} is no range; expected two numbers, as in {{000000..000146}}");
        if (last - first >= 100_000) throw new DataException($"{pattern}: a range of {last - first + 1:N0} archives, more than 100,000 are not opened");
        var digits = $"D{ends[0].Length}";
        return [.. Enumerable.Range(first, last - first + 1).SelectMany(i => Expand(pattern[..open] + i.ToString(digits, System.Globalization.CultureInfo.InvariantCulture) + pattern[(close + 1)..]))];
    }

    /// <inheritdoc/>
    public Picture Load(long index) => PictureFile.Decode(Stored(index), NameOf(index));

    /// <inheritdoc/>
    public byte[] Stored(long index)
    {
        var entry = pictures[(int)DatasetIndex.Checked(this, index)];
        if (entry.Length > PictureFile.LargestFile) throw new DataException($"{NameOf(index)}: has {entry.Length:N0} bytes, more than {PictureFile.LargestFile:N0} are not read");
        return archives[entry.Archive].Read(entry.Offset, entry.Length);
    }

    IReadOnlyList<string> ICaptionSource.Captions(long index)
    {
        if (!texts.TryGetValue((int)DatasetIndex.Checked(this, index), out var found)) return [];
        var name = $"{archives[found.Text.Archive].Path}, {found.Text.Name}";
        CaptionText.RequireLength(found.Text.Length, name);
        var bytes = archives[found.Text.Archive].Read(found.Text.Offset, found.Text.Length);
        return found.IsJson ? CaptionText.Json(bytes, name) : CaptionText.Lines(bytes, name);
    }

    /// <inheritdoc/>
    public string NameOf(long index)
    {
        var entry = pictures[(int)DatasetIndex.Checked(this, index)];
        return $"{archives[entry.Archive].Path}, {entry.Name}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var archive in archives) archive.Dispose();
    }

    private void Add(int number, RecordSource archive, long start, long length, string prefix, bool mayNest)
    {
        string? sample = null;
        // Endings of the picture that was found in the sample; none yet where there are 0.
        var endings = 0;
        var place = 0;
        (Entry Text, bool IsJson)? text = null;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in TarMembers.Read(archive, start, length))
        {
            var (key, extension) = KeyOf(member.Name);
            if (key is null) continue;
            if (key != sample)
            {
                Attach();
                (sample, endings, text) = (key, 0, null);
                seen.Clear();
            }
            if (!seen.Add(extension)) throw archive.Refuse($"has {ShownName(prefix + member.Name)} twice in one sample; what is meant is not clear");
            if (mayNest && extension == "tar") Add(number, archive, member.Offset, member.Length, $"{member.Name}/", mayNest: false);
            var entry = new Entry(number, member.Offset, member.Length, ShownName(prefix + member.Name));
            // Plain text before JSON, whose caption may be one of many things that it says.
            if (extension == "txt" || (extension == "json" && text is null)) text = (entry, extension == "json");
            if (!FolderDataset.IsPictureName($".{extension}")) continue;
            var own = extension.Contains('.') ? 2 : 1;
            if (endings == 0)
            {
                place = pictures.Count;
                pictures.Add(entry);
            }
            else if (own < endings) pictures[place] = entry;
            else continue;
            endings = own;
        }
        Attach();

        void Attach()
        {
            if (endings > 0 && text is { } found) texts[place] = found;
        }
    }

    // Names that begin and end with two underscores are notes of the format's own, and files without an ending say nothing.
    private static (string? Key, string Extension) KeyOf(string name)
    {
        var slash = name.LastIndexOf('/');
        var dot = name.IndexOf('.', slash + 1);
        if (dot < 0 || dot == slash + 1) return (null, "");
        if (slash < 0 && name.StartsWith("__", StringComparison.Ordinal)) return (null, "");
        if (name.Split('/')[..^1].Any(folder => folder.Length > 4 && folder.StartsWith("__", StringComparison.Ordinal) && folder.EndsWith("__", StringComparison.Ordinal))) return (null, "");
        return (name[..dot], name[(dot + 1)..].ToLowerInvariant());
    }

    private static string ShownName(string name) => name.Length <= 200 ? name : $"{name[..200]}…";

    private readonly record struct Entry(int Archive, long Offset, long Length, string Name);
}
