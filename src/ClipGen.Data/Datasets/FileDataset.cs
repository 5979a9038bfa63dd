namespace ClipGen.Data.Datasets;

/// <summary>Pictures in files, decoded when they are asked for.</summary>
public abstract class FileDataset : IStoredDataset
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

    /// <inheritdoc/>
    public string NameOf(long index) => paths[DatasetIndex.Checked(this, index)];
}
