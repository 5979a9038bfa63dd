using System.Buffers.Binary;

namespace ClipGen.Data;

/// <summary>
/// Uncompressed Windows bitmaps, which libvips does not read: 1, 4 and 8 bits with a palette, 24 and 32 bits (the fourth byte is dropped).
/// Source: the BITMAPFILEHEADER and BITMAPINFOHEADER structures of the Windows SDK.
/// </summary>
internal static class BmpFile
{
    private const int FileHeader = 14, SmallestHeader = 40;
    private const int Uncompressed = 0, Masks = 3;

    /// <summary>Whether the bytes begin like a bitmap.</summary>
    public static bool IsBmp(ReadOnlySpan<byte> file) => file.StartsWith("BM"u8) && file.Length >= FileHeader + SmallestHeader;

    /// <summary>Decodes a bitmap.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, too large or of a kind that is not read.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file, long largestPixels)
    {
        var start = BinaryPrimitives.ReadUInt32LittleEndian(file[10..]);
        var header = BinaryPrimitives.ReadUInt32LittleEndian(file[14..]);
        var width = BinaryPrimitives.ReadInt32LittleEndian(file[18..]);
        var signedHeight = BinaryPrimitives.ReadInt32LittleEndian(file[22..]);
        var bits = BinaryPrimitives.ReadUInt16LittleEndian(file[28..]);
        var compression = BinaryPrimitives.ReadUInt32LittleEndian(file[30..]);
        var colours = BinaryPrimitives.ReadUInt32LittleEndian(file[46..]);
        var height = Math.Abs((long)signedHeight);
        if (header < SmallestHeader || width < 1 || height < 1) throw new InvalidDataException("its bitmap header is damaged");
        PictureFile.CheckPixels(width, height, largestPixels);
        if (bits is not (1 or 4 or 8 or 24 or 32) || !(compression == Uncompressed || (compression == Masks && bits == 32 && HasUsualMasks(file))))
            throw new InvalidDataException($"bitmaps of {bits} bits with compression {compression} are not read");
        var stride = ((long)width * bits + 31) / 32 * 4;
        if (start > file.Length || stride * height > file.Length - start) throw new InvalidDataException("the bitmap is cut");

        ReadOnlySpan<byte> palette = [];
        if (bits <= 8)
        {
            var entries = colours == 0 ? 1u << bits : Math.Min(colours, 1u << bits);
            var at = FileHeader + (long)header;
            if (at + entries * 4 > file.Length) throw new InvalidDataException("the bitmap's palette is cut");
            palette = file.Slice((int)at, (int)entries * 4);
        }
        var result = new Picture(width, (int)height);
        for (var y = 0; y < height; y++)
        {
            // Rows come from the bottom up unless the height is negative.
            var from = file.Slice((int)(start + stride * (signedHeight > 0 ? height - 1 - y : y)), (int)stride);
            DecodeRow(from, bits, palette, result.Rgb.AsSpan(y * width * 3, width * 3));
        }
        return result;
    }

    private static void DecodeRow(ReadOnlySpan<byte> from, int bits, ReadOnlySpan<byte> palette, Span<byte> to)
    {
        for (var x = 0; x < to.Length / 3; x++)
        {
            var pixel = bits >= 24 ? from[(x * bits / 8)..] : PaletteEntry(palette, Index(from, bits, x));
            to[x * 3] = pixel[2];
            to[x * 3 + 1] = pixel[1];
            to[x * 3 + 2] = pixel[0];
        }
    }

    private static int Index(ReadOnlySpan<byte> from, int bits, int x)
    {
        var bit = (long)x * bits;
        return (from[(int)(bit / 8)] >> (8 - bits - (int)(bit % 8))) & ((1 << bits) - 1);
    }

    private static ReadOnlySpan<byte> PaletteEntry(ReadOnlySpan<byte> palette, int index) =>
        index * 4 < palette.Length ? palette[(index * 4)..] : throw new InvalidDataException("the bitmap uses a colour beyond its palette");

    private static bool HasUsualMasks(ReadOnlySpan<byte> file) =>
        file.Length >= 66
        && BinaryPrimitives.ReadUInt32LittleEndian(file[54..]) == 0xFF0000
        && BinaryPrimitives.ReadUInt32LittleEndian(file[58..]) == 0xFF00
        && BinaryPrimitives.ReadUInt32LittleEndian(file[62..]) == 0xFF;
}
