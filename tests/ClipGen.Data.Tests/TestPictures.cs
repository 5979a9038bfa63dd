namespace ClipGen.Data.Tests;

/// <summary>Pictures by formula.</summary>
internal static class TestPictures
{
    /// <summary>Bytes without any pattern: each is a hash of its place.</summary>
    public static Picture Hashed(int width, int height)
    {
        var picture = new Picture(width, height);
        for (var i = 0; i < picture.Rgb.Length; i++)
        {
            var z = (ulong)i * 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9;
            picture.Rgb[i] = (byte)(z >> 56);
        }
        return picture;
    }

    /// <summary>A smooth picture, which lossy formats keep well.</summary>
    public static Picture Smooth(int width, int height)
    {
        var picture = new Picture(width, height);
        for (var i = 0; i < picture.Rgb.Length; i++)
        {
            var (x, y) = (i / 3 % width, i / 3 / width);
            picture.Rgb[i] = (byte)(i % 3 == 0 ? 255 * x / width : i % 3 == 1 ? 255 * y / height : 128);
        }
        return picture;
    }
}
