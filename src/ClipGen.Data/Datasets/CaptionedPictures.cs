namespace ClipGen.Data.Datasets;

/// <summary>The pictures of a dataset about which there are sentences. Where a picture has several, each epoch takes the next.</summary>
public sealed class CaptionedPictures : ICaptionedDataset
{
    private readonly IPictureDataset whole;
    private readonly long[] indices;
    private readonly IReadOnlyList<string>[] sentences;

    private CaptionedPictures(IPictureDataset whole, long[] indices, IReadOnlyList<string>[] sentences) => (this.whole, this.indices, this.sentences) = (whole, indices, sentences);

    /// <inheritdoc/>
    public string Name => whole.Name;

    /// <inheritdoc/>
    public long Count => indices.Length;

    /// <summary>Pictures without a sentence, which are left out.</summary>
    public long LeftOut => whole.Count - indices.Length;

    /// <summary>The captioned pictures of a dataset: of files with a text file of the same name beside them, of tables with a column for it, of tar archives with a <c>.txt</c> or <c>.json</c> in the sample, of records with a caption.</summary>
    /// <exception cref="DataException">There is no sentence about any picture, or a text can't be read.</exception>
    public static CaptionedPictures Of(IPictureDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return Of(dataset, dataset is ICaptionSource source ? source.Captions : _ => []);
    }

    /// <summary>The captioned pictures of a dataset whose sentences are somewhere else.</summary>
    /// <param name="dataset">The dataset.</param>
    /// <param name="captions">The sentences about a picture.</param>
    internal static CaptionedPictures Of(IPictureDataset dataset, Func<long, IReadOnlyList<string>> captions)
    {
        List<long> indices = [];
        List<IReadOnlyList<string>> sentences = [];
        for (var n = 0L; n < dataset.Count; n++)
        {
            if (captions(n) is not { Count: > 0 } said) continue;
            indices.Add(n);
            sentences.Add(said);
        }
        if (indices.Count == 0)
            throw new DataException($"{dataset.Name}: CLIP learns from pictures with sentences, and there is none about any of the {dataset.Count:N0} pictures; expected NAME.txt beside NAME.jpg, a .txt or .json in a tar archive's sample, or a caption in records and tables");
        return new CaptionedPictures(dataset, [.. indices], [.. sentences]);
    }

    /// <inheritdoc/>
    public Picture Load(long index) => whole.Load(indices[DatasetIndex.Checked(this, index)]);

    /// <inheritdoc/>
    public string NameOf(long index) => whole.NameOf(indices[DatasetIndex.Checked(this, index)]);

    /// <inheritdoc/>
    public string Caption(long index, ulong variant)
    {
        var said = sentences[DatasetIndex.Checked(this, index)];
        return said[(int)(variant % (ulong)said.Count)];
    }
}
