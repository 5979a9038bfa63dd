namespace ClipGen.Data.Datasets;

/// <summary>Some pictures of another dataset.</summary>
internal sealed class DatasetPart(IPictureDataset whole, long[] indices) : IPictureDataset
{
    public string Name => whole.Name;

    public long Count => indices.Length;

    public Picture Load(long index) => whole.Load(indices[DatasetIndex.Checked(this, index)]);

    public string NameOf(long index) => whole.NameOf(indices[DatasetIndex.Checked(this, index)]);
}
