namespace ClipGen.Data.Datasets;

/// <summary>The check that all datasets make.</summary>
internal static class DatasetIndex
{
    /// <summary>Returns an index that is one of the dataset's.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public static long Checked(IPictureDataset dataset, long index) => index >= 0 && index < dataset.Count
        ? index
        : throw new ArgumentOutOfRangeException(nameof(index), index, $"{dataset.Name} has {dataset.Count:N0} pictures");
}
