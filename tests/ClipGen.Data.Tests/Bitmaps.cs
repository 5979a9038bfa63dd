namespace ClipGen.Data.Tests;

/// <summary>Windows bitmaps, written by hand.</summary>
internal static class Bitmaps
{
    /// <summary>24 bits per pixel, bottom row first, rows padded to four bytes.</summary>
    public static byte[] Bgr24(Picture picture)
    {
        var stride = (picture.Width * 3 + 3) / 4 * 4;
        var rows = new byte[stride * picture.Height];
        for (var i = 0; i < picture.Rgb.Length; i++)
        {
            var (x, y) = (i / 3 % picture.Width, i / 3 / picture.Width);
            rows[(picture.Height - 1 - y) * stride + x * 3 + 2 - i % 3] = picture.Rgb[i];
        }
        return File(picture.Width, picture.Height, 24, [], rows);
    }

    /// <summary>A picture of 3 x 2 pixels with 4 bits each, top row first, and what it shows.</summary>
    public static (byte[] File, Picture Picture) Paletted4() =>
        (File(3, -2, 4, [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0], [0x01, 0x20, 0, 0, 0x21, 0x00, 0, 0]),
            new Picture(3, 2, [3, 2, 1, 6, 5, 4, 9, 8, 7, 9, 8, 7, 6, 5, 4, 3, 2, 1]));

    private static byte[] File(int width, int height, ushort bits, byte[] palette, byte[] rows)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write("BM"u8);
        writer.Write(54 + palette.Length + rows.Length);
        writer.Write(0);
        writer.Write(54 + palette.Length);
        writer.Write(40);
        writer.Write(width);
        writer.Write(height);
        writer.Write((ushort)1);
        writer.Write(bits);
        writer.Write(0);
        writer.Write(rows.Length);
        writer.Write(0L);
        writer.Write(palette.Length / 4);
        writer.Write(0);
        writer.Write(palette);
        writer.Write(rows);
        writer.Flush();
        return stream.ToArray();
    }
}
