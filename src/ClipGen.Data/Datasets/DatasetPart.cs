namespace ClipGen.Data.Datasets;

/// <summary>Some pictures of another dataset.</summary>
internal class DatasetPart(IPictureDataset whole, long[] indices) : IPictureDataset
{
    /// <summary>Some pictures, with their sentences where there are any.</summary>
    public static IPictureDataset Of(IPictureDataset whole, long[] indices) => whole is ICaptionedDataset captioned ? new Captioned(captioned, indices) : new DatasetPart(whole, indices);

    public string Name => whole.Name;

    public long Count => indices.Length;

    public Picture Load(long index) => whole.Load(PlaceOf(index));

    public string NameOf(long index) => whole.NameOf(PlaceOf(index));

    private long PlaceOf(long index) => indices[DatasetIndex.Checked(this, index)];

    private sealed class Captioned(ICaptionedDataset captions, long[] indices) : DatasetPart(captions, indices), ICaptionedDataset
    {
        public string Caption(long index, ulong variant) => captions.Caption(PlaceOf(index), variant);
    }
}
