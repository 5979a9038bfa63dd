using ClipGen.Data.Records;
using ClipGen.Data.Shapes;

namespace ClipGen.Data.Datasets;

/// <summary>What <c>--ds</c> takes.</summary>
public static class PictureDatasets
{
    /// <summary>The name of the synthetic world; a folder of that name is opened as <c>./shapes</c>.</summary>
    public const string Shapes = "shapes";

    /// <summary>Scenes of an epoch of the synthetic world, if nothing else is asked for.</summary>
    public const long ShapesCount = 65_536;

    /// <summary>
    /// A dataset by name or path: <see cref="Shapes"/> (its training scenes); a list file; a file of FFRecord (<c>.ffr</c>) or a folder that holds some; tar archives (<c>.tar</c>, a pattern with ranges such as
    /// <c>{0000..0146}</c>, or a folder that holds some); any other folder, with the pictures in it and below it.
    /// </summary>
    /// <param name="nameOrPath">What to open.</param>
    /// <param name="seed">The stream of scenes of the synthetic world.</param>
    /// <param name="shapesCount">Scenes of an epoch of the synthetic world.</param>
    /// <param name="lesson">Which of its scenes come together, and how sentences tell of them; if null, none do, and in every way.</param>
    /// <exception cref="DataException">There is no such thing, or no picture in it.</exception>
    public static IPictureDataset Open(string nameOrPath, ulong seed = 0, long shapesCount = ShapesCount, ShapesLesson? lesson = null)
    {
        ArgumentNullException.ThrowIfNull(nameOrPath);
        if (nameOrPath == Shapes) return new ShapesDataset(seed, ShapesSplit.Train, shapesCount, lesson ?? ShapesLesson.None);
        if (Directory.Exists(nameOrPath)) return OpenFolder(nameOrPath);
        if (TarDataset.IsArchiveName(nameOrPath)) return new TarDataset(nameOrPath, TarDataset.Expand(nameOrPath));
        if (!File.Exists(nameOrPath))
            throw new DataException($"{nameOrPath}: there is no such dataset: give a folder of pictures, a text file that names one picture a line, records in .ffr or .tar files, or \"{Shapes}\"");
        if (FFRecordDataset.IsRecordName(nameOrPath)) return new FFRecordDataset(nameOrPath);
        if (FolderDataset.IsPictureName(nameOrPath))
            throw new DataException($"{nameOrPath}: this is a picture, not a dataset: give its folder, or a text file that names one picture a line");
        return new ListDataset(nameOrPath);
    }

    /// <summary>The pictures of a dataset that have sentences about them.</summary>
    /// <inheritdoc cref="Open"/>
    /// <exception cref="DataException">There is no such thing, no picture in it, or no sentence about any.</exception>
    public static ICaptionedDataset OpenCaptioned(string nameOrPath, ulong seed = 0, long shapesCount = ShapesCount, ShapesLesson? lesson = null)
    {
        var dataset = Open(nameOrPath, seed, shapesCount, lesson ?? ShapesLesson.None);
        return dataset as ICaptionedDataset ?? CaptionedPictures.Of(dataset);
    }

    private static IPictureDataset OpenFolder(string path)
    {
        // A folder that can't be listed is the business of whoever opens it.
        string[] files;
        try
        {
            files = [.. Directory.EnumerateFiles(path)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new FolderDataset(path);
        }
        if (files.Any(FFRecordDataset.IsRecordName)) return new FFRecordDataset(path);
        var archives = files.Where(TarDataset.IsArchiveName).Order(StringComparer.Ordinal).ToArray();
        return archives.Length > 0 ? new TarDataset(path, archives) : new FolderDataset(path);
    }

    /// <summary>
    /// A dataset in two parts. Of pictures in files, a hash of its index decides where each belongs, whatever the seed of a training; each part has at least one, if there are two.
    /// The synthetic world keeps its training scenes, and validates on scenes of another stream.
    /// </summary>
    /// <param name="dataset">The dataset.</param>
    /// <param name="validationShare">The share to validate on, from 0 (none) to less than 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The share is out of range.</exception>
    public static DatasetSplit Split(this IPictureDataset dataset, double validationShare)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        if (!(validationShare >= 0 && validationShare < 1))
            throw new ArgumentOutOfRangeException(nameof(validationShare), validationShare, "the share to validate on is from 0 to less than 1");
        if (validationShare == 0) return new DatasetSplit(dataset, null);
        if (dataset is ShapesDataset { Split: ShapesSplit.Train } shapes)
            return new DatasetSplit(shapes, new ShapesDataset(shapes.Seed, ShapesSplit.Validation, Math.Max((long)(shapes.Count * validationShare), 1), shapes.Lesson));
        if (dataset.Count < 2) return new DatasetSplit(dataset, null);

        List<long> train = [], validation = [];
        (double Value, long Index) lowest = (1, 0), highest = (-1, 0);
        for (var i = 0L; i < dataset.Count; i++)
        {
            var value = new CounterRandom(0, DataRandomPurpose.Validation, i).NextUniform();
            (value < validationShare ? validation : train).Add(i);
            if (value < lowest.Value) lowest = (value, i);
            if (value > highest.Value) highest = (value, i);
        }
        if (validation.Count == 0) Move(lowest.Index, train, validation);
        if (train.Count == 0) Move(highest.Index, validation, train);
        return new DatasetSplit(DatasetPart.Of(dataset, [.. train]), DatasetPart.Of(dataset, [.. validation]));

        static void Move(long index, List<long> from, List<long> to)
        {
            from.Remove(index);
            to.Add(index);
        }
    }
}

/// <summary>Two parts of a dataset.</summary>
/// <param name="Train">What to train on.</param>
/// <param name="Validation">What to validate on; null if there is nothing.</param>
public sealed record DatasetSplit(IPictureDataset Train, IPictureDataset? Validation);
