using ClipGen.Data.Records;

namespace ClipGen.Data.Datasets;

/// <summary>
/// Datasets that the recipes name, in the layouts that they are published in: <c>coco</c>, <c>imagenet</c>, <c>googlecc</c>, below a root folder. Each comes with its own part to validate on.
/// </summary>
public static class NamedDatasets
{
    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = ["coco", "imagenet", "googlecc"];

    /// <summary>Whether a name is one of them; a folder of that name is opened as <c>./coco</c>.</summary>
    public static bool IsName(string name) => Names.Contains(name);

    /// <summary>Opens one.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="root">Where its files are.</param>
    /// <exception cref="DataException">The files are not there; the message says what was looked for.</exception>
    /// <exception cref="ArgumentException">There is no such name.</exception>
    public static DatasetSplit Open(string name, string root)
    {
        if (!Directory.Exists(root)) throw new DataException($"{root}: there is no such folder; --data-root names the folder that holds {name}");
        return name switch
        {
            // Names are ids of one length: their order is that of the ids.
            "coco" => Split(name, root, ["train2017", "train2017.ffr"], ["val2017", "val2017.ffr"]),
            "imagenet" => Split(name, root, ["train", "train.ffr", "ILSVRC2012_img_train.tar"], ["val", "val.ffr", "ILSVRC2012_img_val.tar"]),
            "googlecc" => Captions(root),
            _ => throw new ArgumentException($"there is no dataset {name}", nameof(name)),
        };
    }

    /// <summary>Opens one with its sentences: COCO's are in <c>annotations</c>, those of Conceptual Captions with the pictures.</summary>
    /// <inheritdoc cref="Open"/>
    /// <exception cref="DataException">The files are not there, or have no sentences; the message says what was looked for.</exception>
    public static DatasetSplit OpenCaptioned(string name, string root)
    {
        var split = Open(name, root);
        ICaptionedDataset Captioned(IPictureDataset part, string year) => name == "coco" ? CocoCaptions.Of(part, Path.Combine(root, "annotations", $"captions_{year}.json")) : CaptionedPictures.Of(part);
        return new DatasetSplit(Captioned(split.Train, "train2017"), split.Validation is { } validation ? Captioned(validation, "val2017") : null);
    }

    private static DatasetSplit Split(string name, string root, string[] train, string[] validation)
    {
        var found = Find(root, train) ?? throw new DataException($"{root}: holds neither {string.Join(" nor ", train)}, which {name} is looked for in; --data-root names the folder above them");
        return new DatasetSplit(PictureDatasets.Open(found), Find(root, validation) is { } other ? PictureDatasets.Open(other) : null);
    }

    private static string? Find(string root, string[] names) => names.Select(name => Path.Combine(root, name)).FirstOrDefault(Path.Exists);

    // Conceptual Captions is a list of addresses; what people have of it is a table of the files that they could fetch, or shards.
    private static DatasetSplit Captions(string root)
    {
        string[] files = [.. Directory.EnumerateFiles(root).Order(StringComparer.Ordinal)];
        if (Table(files, "train") is { } train) return new DatasetSplit(new TableDataset(train), Table(files, "val") is { } other ? new TableDataset(other) : null);
        if (Shards(files, "train") is { Length: > 0 } shards) return new DatasetSplit(new TarDataset(root, shards), Shards(files, "val") is { Length: > 0 } others ? new TarDataset(root, others) : null);
        if (files.Where(TarDataset.IsArchiveName).ToArray() is { Length: > 0 } all) return new DatasetSplit(new TarDataset(root, all), null);
        throw new DataException($"{root}: holds no table (.tsv or .csv with \"train\" in its name and a column \"filepath\") and no .tar archives, which googlecc is looked for in");
    }

    private static string? Table(string[] files, string part) => files.FirstOrDefault(file => Path.GetExtension(file).ToLowerInvariant() is ".tsv" or ".csv" && Has(file, part));

    private static string[] Shards(string[] files, string part) => [.. files.Where(file => TarDataset.IsArchiveName(file) && Has(file, part))];

    private static bool Has(string file, string part) => Path.GetFileName(file).Contains(part, StringComparison.OrdinalIgnoreCase);
}
