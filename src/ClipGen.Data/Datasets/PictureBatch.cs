namespace ClipGen.Data.Datasets;

/// <summary>The pictures of one step, all square and of one size.</summary>
/// <param name="Epoch">The epoch, from 0.</param>
/// <param name="Step">The step of the epoch, from 0.</param>
/// <param name="Indices">Which pictures of the dataset these are; where one could not be read, the one that took its place.</param>
/// <param name="Pictures">The pictures.</param>
public sealed record PictureBatch(long Epoch, long Step, long[] Indices, Picture[] Pictures)
{
    /// <summary>For the VQ-GAN: floats in [-1, 1], [N, H, W, 3] (<see cref="PictureTransforms.ToVqGan"/>).</summary>
    public float[] ToVqGan() => Join(PictureTransforms.ToVqGan, Pictures);

    /// <summary>For CLIP: resized to <paramref name="size"/> (bilinear, antialiased) where the size differs, then normalised, [N, size, size, 3] (<see cref="PictureTransforms.ToClip"/>).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is below 1.</exception>
    public float[] ToClip(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        return Join(PictureTransforms.ToClip, [.. Pictures.Select(p => p.Width == size && p.Height == size ? p : PillowResize.Bilinear(p, size, size))]);
    }

    /// <summary>A sentence about each picture; the epoch chooses the wording.</summary>
    /// <param name="dataset">The dataset that the batch is from.</param>
    public string[] Captions(ICaptionedDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return [.. Indices.Select(index => dataset.Caption(index, (ulong)Epoch))];
    }

    private static float[] Join(Func<Picture, float[]> transform, Picture[] pictures)
    {
        var parts = pictures.Select(transform).ToList();
        var all = new float[parts.Sum(p => p.Length)];
        var at = 0;
        foreach (var part in parts)
        {
            part.CopyTo(all, at);
            at += part.Length;
        }
        return all;
    }
}
