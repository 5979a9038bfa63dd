namespace ClipGen.Data.Datasets;

/// <summary>How a picture becomes a square: the short side is resized (bilinear, antialiased), then a square is cut out. A picture of the right size stays as it is.</summary>
public sealed class PictureCrop
{
    private readonly ulong? seed;

    private PictureCrop(int size, ulong? seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        Size = size;
        this.seed = seed;
    }

    /// <summary>Side of the square in pixels.</summary>
    public int Size { get; }

    /// <summary>For training: the square lies anywhere with the same probability, as (seed, epoch, step, slot) decide.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is below 1.</exception>
    public static PictureCrop Random(int size, ulong seed) => new(size, seed);

    /// <summary>For validation: the middle.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is below 1.</exception>
    public static PictureCrop Centre(int size) => new(size, null);

    /// <summary>The square of a picture that is number <paramref name="slot"/> of a batch.</summary>
    /// <exception cref="DataException">The picture is so long and narrow that it cannot be resized.</exception>
    public Picture Apply(Picture picture, long epoch, long step, int slot)
    {
        ArgumentNullException.ThrowIfNull(picture);
        Picture resized;
        try
        {
            resized = PictureTransforms.ResizeShortSide(picture, Size);
        }
        catch (ArgumentException e)
        {
            throw new DataException(e.Message, e);
        }
        if (resized.Width == Size && resized.Height == Size) return resized;
        if (seed is not { } key) return PictureTransforms.CenterCrop(resized, Size);
        var random = new CounterRandom(key, DataRandomPurpose.Crop, epoch, step, slot);
        return PictureTransforms.Crop(resized, random.NextBelow(resized.Width - Size + 1), random.NextBelow(resized.Height - Size + 1), Size, Size);
    }
}
