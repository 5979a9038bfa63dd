using ClipGen.Data.Datasets;

namespace ClipGen.Data.Records;

/// <summary>The samples of one or more files of FFRecord, one file after the other. What a sample may be: <see cref="SampleCodec"/>.</summary>
public sealed class FFRecordDataset : IStoredDataset, ICaptionSource, IDisposable
{
    private readonly FFRecordFile[] files;
    private readonly long[] ends;

    /// <summary>Opens a file, or all <c>.ffr</c> files of a folder in ordinal order of their names.</summary>
    /// <exception cref="DataException">There is none, or one of them is damaged.</exception>
    public FFRecordDataset(string path)
    {
        Name = path;
        var paths = Directory.Exists(path) ? [.. Directory.EnumerateFiles(path).Where(IsRecordName).Order(StringComparer.Ordinal)] : new[] { path };
        if (paths.Length == 0) throw new DataException($"{path}: the folder holds no file that ends in {FFRecordFile.Extension}");
        List<FFRecordFile> opened = [];
        try
        {
            foreach (var file in paths) opened.Add(FFRecordFile.Open(file));
        }
        catch
        {
            opened.ForEach(file => file.Dispose());
            throw;
        }
        files = [.. opened];
        ends = new long[files.Length];
        for (var i = 0; i < ends.Length; i++) ends[i] = (i == 0 ? 0 : ends[i - 1]) + files[i].Count;
        if (Count > 0) return;
        Dispose();
        throw new DataException($"{path}: holds no sample");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Count => ends[^1];

    /// <summary>The files.</summary>
    public IReadOnlyList<FFRecordFile> Files => files;

    /// <summary>Whether a file name ends as those of FFRecord do.</summary>
    public static bool IsRecordName(string path) => Path.GetExtension(path).Equals(FFRecordFile.Extension, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public Picture Load(long index) => SampleCodec.Decode(Sample(index), NameOf(index));

    /// <inheritdoc/>
    public byte[] Stored(long index) => SampleCodec.Encoded(Sample(index), NameOf(index));

    IReadOnlyList<string> ICaptionSource.Captions(long index) => SampleCodec.Caption(Sample(index), NameOf(index));

    /// <inheritdoc/>
    public string NameOf(long index)
    {
        var (file, sample) = Place(index);
        return $"{files[file].Path}, sample {sample}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in files) file.Dispose();
    }

    private byte[] Sample(long index)
    {
        var (file, sample) = Place(index);
        return files[file].Read(sample);
    }

    private (int File, long Sample) Place(long index)
    {
        DatasetIndex.Checked(this, index);
        // The first file that ends behind the index; files may be empty.
        int low = 0, high = files.Length - 1;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (ends[middle] > index) high = middle;
            else low = middle + 1;
        }
        return (low, index - (ends[low] - files[low].Count));
    }
}
