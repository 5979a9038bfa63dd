namespace ClipGen.Data.Datasets;

/// <summary>A dataset whose format has a place for sentences about its pictures. Whether there are any is found out by asking.</summary>
internal interface ICaptionSource : IPictureDataset
{
    /// <summary>The sentences about picture <paramref name="index"/>; none where there are none.</summary>
    /// <exception cref="DataException">What should hold them is damaged.</exception>
    IReadOnlyList<string> Captions(long index);
}
