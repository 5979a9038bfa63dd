namespace ClipGen.Data.Datasets;

/// <summary>Pictures in files, decoded when they are asked for. A text file of the same name beside a picture holds sentences about it, one a line.</summary>
public abstract class FileDataset : IStoredDataset, ICaptionSource
{
    private readonly string[] paths;

    private protected FileDataset(string name, string[] paths)
    {
        Name = name;
        this.paths = paths;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Count => paths.Length;

    /// <inheritdoc/>
    public Picture Load(long index) => PictureFile.Load(NameOf(index));

    /// <inheritdoc/>
    public byte[] Stored(long index) => PictureFile.ReadBytes(NameOf(index));

    IReadOnlyList<string> ICaptionSource.Captions(long index) => Captions(DatasetIndex.Checked(this, index));

    private protected virtual IReadOnlyList<string> Captions(long index) => CaptionText.Beside(paths[index]);

    /// <inheritdoc/>
    public string NameOf(long index) => paths[DatasetIndex.Checked(this, index)];
}
