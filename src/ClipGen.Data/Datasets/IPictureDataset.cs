namespace ClipGen.Data.Datasets;

/// <summary>Pictures by number. Safe to use from several threads.</summary>
public interface IPictureDataset
{
    /// <summary>What messages call it: the path or name that it was opened by.</summary>
    string Name { get; }

    /// <summary>How many pictures there are.</summary>
    long Count { get; }

    /// <summary>Pictures that come in one batch, side by side: those from a multiple of this number to the next. 1 where pictures are independent.</summary>
    int Together => 1;

    /// <summary>Picture <paramref name="index"/>, of whatever size it has.</summary>
    /// <exception cref="DataException">The picture cannot be read.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The index is not below the count.</exception>
    Picture Load(long index);

    /// <summary>What messages call a picture, for example its path.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is not below the count.</exception>
    string NameOf(long index);
}

/// <summary>Pictures in files of their own or records of a larger one, which can be handed on as they are stored.</summary>
public interface IStoredDataset : IPictureDataset
{
    /// <summary>The encoded picture <paramref name="index"/>: a PNG, JPEG or the like, not decoded.</summary>
    /// <exception cref="DataException">It cannot be read, or its checksum is another one.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The index is not below the count.</exception>
    byte[] Stored(long index);
}

/// <summary>Pictures with sentences about them.</summary>
public interface ICaptionedDataset : IPictureDataset
{
    /// <summary>A sentence about picture <paramref name="index"/>.</summary>
    /// <param name="index">The picture.</param>
    /// <param name="variant">Chooses among its wordings, for example the epoch; the same number gives the same sentence.</param>
    /// <exception cref="ArgumentOutOfRangeException">The index is not below the count.</exception>
    string Caption(long index, ulong variant);
}
