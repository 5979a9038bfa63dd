using System.Buffers.Binary;

namespace ClipGen.Data;

/// <summary>Where JPEG and WebP files keep their EXIF block.</summary>
internal static class ExifContainers
{
    private const int LargestSegment = 65535 - 2;
    private const int RiffHeader = 12;

    private static ReadOnlySpan<byte> ExifName => "Exif\0\0"u8;

    /// <summary>Whether the bytes begin like a JPEG file.</summary>
    public static bool IsJpeg(ReadOnlySpan<byte> file) => file.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]);

    /// <summary>Whether the bytes begin like a WebP file.</summary>
    public static bool IsWebp(ReadOnlySpan<byte> file) => file.Length > RiffHeader && file.StartsWith("RIFF"u8) && file[8..].StartsWith("WEBP"u8);

    /// <summary>A JPEG file with the block in an APP1 segment, after the JFIF segment where there is one.</summary>
    /// <exception cref="InvalidDataException">The block is larger than a segment.</exception>
    public static byte[] InsertIntoJpeg(ReadOnlySpan<byte> jpeg, ReadOnlySpan<byte> block)
    {
        var length = ExifName.Length + block.Length;
        if (length > LargestSegment)
            throw new InvalidDataException($"{block.Length:N0} bytes of text do not fit a JPEG file (at most {LargestSegment:N0}); a PNG file takes them");
        var at = jpeg[3] == 0xE0 ? 4 + BinaryPrimitives.ReadUInt16BigEndian(jpeg[4..]) : 2;
        return [.. jpeg[..at], 0xFF, 0xE1, (byte)((length + 2) >> 8), (byte)(length + 2), .. ExifName, .. block, .. jpeg[at..]];
    }

    /// <summary>The EXIF block of a JPEG file; empty if there is none.</summary>
    /// <exception cref="InvalidDataException">The segments are damaged.</exception>
    public static ReadOnlySpan<byte> FindInJpeg(ReadOnlySpan<byte> jpeg)
    {
        for (var at = 2; at + 4 <= jpeg.Length;)
        {
            if (jpeg[at] != 0xFF) throw new InvalidDataException("the JPEG file's segments are damaged");
            var marker = jpeg[at + 1];
            if (marker == 0xFF)
            {
                at++; // a fill byte
                continue;
            }
            if (marker is 0xDA or 0xD9) break; // the picture itself, or its end
            var length = BinaryPrimitives.ReadUInt16BigEndian(jpeg[(at + 2)..]);
            if (length < 2 || length > jpeg.Length - at - 2) throw new InvalidDataException("the JPEG file is cut");
            var body = jpeg.Slice(at + 4, length - 2);
            if (marker == 0xE1 && body.StartsWith(ExifName)) return body[ExifName.Length..];
            at += 2 + length;
        }
        return [];
    }

    /// <summary>A WebP file of a single opaque picture in the extended format, with the block in an EXIF chunk.</summary>
    public static byte[] InsertIntoWebp(ReadOnlySpan<byte> webp, ReadOnlySpan<byte> block, int width, int height)
    {
        using var body = new MemoryStream();
        Span<byte> header = stackalloc byte[10];
        header.Clear();
        header[0] = 0x08; // holds EXIF
        WriteU24(header[4..], width - 1);
        WriteU24(header[7..], height - 1);
        WriteChunk(body, "VP8X"u8, header);
        body.Write(webp[RiffHeader..]);
        WriteChunk(body, "EXIF"u8, block);
        var bytes = body.ToArray();
        Span<byte> size = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(size, bytes.Length + 4);
        return [.. "RIFF"u8, .. size, .. "WEBP"u8, .. bytes];
    }

    /// <summary>The EXIF block of a WebP file; empty if there is none.</summary>
    /// <exception cref="InvalidDataException">The chunks are damaged.</exception>
    public static ReadOnlySpan<byte> FindInWebp(ReadOnlySpan<byte> webp)
    {
        for (var at = RiffHeader; at + 8 <= webp.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(webp[(at + 4)..]);
            if (length > webp.Length - at - 8) throw new InvalidDataException("the WebP file is cut");
            var body = webp.Slice(at + 8, (int)length);
            if (webp[at..].StartsWith("EXIF"u8)) return body.StartsWith(ExifName) ? body[ExifName.Length..] : body;
            at += 8 + (int)length + (int)(length & 1);
        }
        return [];
    }

    private static void WriteChunk(MemoryStream target, ReadOnlySpan<byte> name, ReadOnlySpan<byte> body)
    {
        target.Write(name);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, body.Length);
        target.Write(length);
        target.Write(body);
        if ((body.Length & 1) != 0) target.WriteByte(0);
    }

    private static void WriteU24(Span<byte> target, int value)
    {
        target[0] = (byte)value;
        target[1] = (byte)(value >> 8);
        target[2] = (byte)(value >> 16);
    }
}
