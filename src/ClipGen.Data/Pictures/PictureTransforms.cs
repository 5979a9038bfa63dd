namespace ClipGen.Data;

/// <summary>From pictures to what the models take, as torchvision's transforms do it, and back.</summary>
public static class PictureTransforms
{
    /// <summary>Channel means of CLIP's training pictures.</summary>
    public static ReadOnlySpan<float> ClipMean => [0.48145466f, 0.4578275f, 0.40821073f];

    /// <summary>Channel standard deviations of CLIP's training pictures.</summary>
    public static ReadOnlySpan<float> ClipStd => [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>
    /// Resizes (bilinear, antialiased) so that the short side is <paramref name="size"/> and the long one int(size * long / short).
    /// A picture whose short side already has that size is returned as it is.
    /// </summary>
    /// <exception cref="ArgumentException">The size is below 1, or the result is larger than an array can be.</exception>
    public static Picture ResizeShortSide(Picture p, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var (shorter, longer) = (Math.Min(p.Width, p.Height), Math.Max(p.Width, p.Height));
        if (shorter == size) return p;
        var other = (long)((double)((long)size * longer) / shorter);
        if (other * size > Array.MaxLength / 3)
            throw new ArgumentException($"a picture of {p.Width} x {p.Height} pixels cannot be resized to a short side of {size}: the result is too large");
        return p.Width <= p.Height ? PillowResize.Bilinear(p, size, (int)other) : PillowResize.Bilinear(p, (int)other, size);
    }

    /// <summary>The middle square; its corner is at round((n - size) / 2), halves to even.</summary>
    /// <exception cref="DataException">The picture is smaller than the square.</exception>
    public static Picture CenterCrop(Picture p, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        if (p.Width < size || p.Height < size)
            throw new DataException($"cannot cut {size} x {size} pixels out of a picture of {p.Width} x {p.Height}");
        return Crop(p, CropOffset(p.Width, size), CropOffset(p.Height, size), size, size);
    }

    /// <summary>A rectangle of a picture.</summary>
    /// <exception cref="DataException">The rectangle is not inside the picture.</exception>
    public static Picture Crop(Picture p, int left, int top, int width, int height)
    {
        if (left < 0 || top < 0 || width < 1 || height < 1 || (long)left + width > p.Width || (long)top + height > p.Height)
            throw new DataException($"the rectangle of {width} x {height} pixels at ({left}, {top}) is not inside a picture of {p.Width} x {p.Height}");
        var result = new Picture(width, height);
        for (var y = 0; y < height; y++)
            p.Rgb.AsSpan(((top + y) * p.Width + left) * 3, width * 3).CopyTo(result.Rgb.AsSpan(y * width * 3));
        return result;
    }

    /// <summary>For the VQ-GAN: (v / 255 - 0.5) / 0.5, floats in [-1, 1], [Height, Width, 3].</summary>
    public static float[] ToVqGan(Picture p) => Normalize(p, [0.5f, 0.5f, 0.5f], [0.5f, 0.5f, 0.5f]);

    /// <summary>For CLIP: (v / 255 - mean) / std per channel, [Height, Width, 3].</summary>
    public static float[] ToClip(Picture p) => Normalize(p, ClipMean, ClipStd);

    /// <summary>v / 255, floats in [0, 1], [Height, Width, 3].</summary>
    public static float[] ToUnit(Picture p) => Normalize(p, [0, 0, 0], [1, 1, 1]);

    /// <summary>A picture from the VQ-GAN's output [Height, Width, 3]: x * 0.5 + 0.5 clamped to [0, 1], times 255, plus 0.5, truncated.</summary>
    /// <exception cref="ArgumentException">The number of values is not width x height x 3.</exception>
    /// <exception cref="DataException">A value is not a number.</exception>
    public static Picture FromVqGan(ReadOnlySpan<float> hwc, int width, int height)
    {
        if (hwc.Length != 3L * width * height)
            throw new ArgumentException($"{hwc.Length:N0} values are not a picture of {width} x {height} pixels");
        var result = new Picture(width, height);
        for (var i = 0; i < hwc.Length; i++)
        {
            // No byte stands for NaN; a black pixel would hide that the model failed.
            if (float.IsNaN(hwc[i]))
                throw new DataException($"the model's picture holds a value that is not a number (pixel {i / 3 % width}, {i / 3 / width})");
            result.Rgb[i] = (byte)(Math.Clamp(hwc[i] * 0.5f + 0.5f, 0f, 1f) * 255f + 0.5f);
        }
        return result;
    }

    private static int CropOffset(int side, int size) => (int)Math.Round((side - size) / 2.0, MidpointRounding.ToEven);

    private static float[] Normalize(Picture p, ReadOnlySpan<float> mean, ReadOnlySpan<float> std)
    {
        var table = new float[256 * 3];
        for (var i = 0; i < table.Length; i++) table[i] = (i / 3 / 255f - mean[i % 3]) / std[i % 3];
        var result = new float[p.Rgb.Length];
        for (var i = 0; i < result.Length; i += 3)
            for (var c = 0; c < 3; c++)
                result[i + c] = table[p.Rgb[i + c] * 3 + c];
        return result;
    }
}
