using System.Formats.Tar;
using System.Globalization;
using ClipGen.Data.Datasets;
using ClipGen.Files;

namespace ClipGen.Data.Records;

/// <summary>Pictures of a dataset into files of records, as they are stored: nothing is decoded or encoded again, but for the synthetic world, whose scenes become PNGs.</summary>
public static class DatasetWriter
{
    /// <summary>Writes pictures <paramref name="first"/>… to one file; its ending says how: <c>.ffr</c> for FFRecord, <c>.tar</c> for a shard of WebDataset. It appears whole or not at all.</summary>
    /// <param name="dataset">The pictures.</param>
    /// <param name="first">The first one.</param>
    /// <param name="count">How many.</param>
    /// <param name="path">The file.</param>
    /// <param name="progress">Told after each picture.</param>
    /// <param name="cancellation">Ends the work between two pictures, and leaves nothing.</param>
    /// <exception cref="DataException">A picture can't be read, or the file not written.</exception>
    public static void Write(IPictureDataset dataset, long first, int count, string path, Action progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(progress);
        if (FFRecordDataset.IsRecordName(path)) FFRecordFile.Write(path, count, Samples());
        else if (TarDataset.IsArchiveName(path)) WriteTar(path, first, Samples());
        else throw new DataException($"{path}: records are written as {FFRecordFile.Extension} or .tar");

        IEnumerable<byte[]> Samples()
        {
            for (var i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                yield return dataset is IStoredDataset stored ? stored.Stored(first + i) : PictureFile.EncodePng(dataset.Load(first + i));
                progress();
            }
        }
    }

    private static void WriteTar(string path, long first, IEnumerable<byte[]> samples) => AtomicFile.Write(path, stream =>
    {
        // The same pictures make the same bytes: no owner, no time.
        using var writer = new TarWriter(stream, TarEntryFormat.Ustar, leaveOpen: true);
        var index = first;
        foreach (var sample in samples)
        {
            using var content = new MemoryStream(sample, writable: false);
            // What is no picture keeps its place all the same, and is refused when it is read.
            var ending = PictureFile.ExtensionOf(sample) ?? ".jpg";
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, string.Create(CultureInfo.InvariantCulture, $"{index++:D9}{ending}"))
            {
                DataStream = content,
                ModificationTime = DateTimeOffset.UnixEpoch,
            });
        }
    }, (reason, cause) => new DataException($"{path}: can't be written: {reason}", cause));
}
