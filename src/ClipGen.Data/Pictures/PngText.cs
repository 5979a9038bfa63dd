using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace ClipGen.Data;

/// <summary>Text chunks of PNG files: tEXt for ASCII, iTXt (UTF-8) for the rest; reads zTXt too. Source: PNG specification, section 11.3.3.</summary>
internal static class PngText
{
    private const int HeaderEnd = 8 + 25; // signature, then IHDR with its 13 bytes
    private const int LargestText = 16 << 20;
    private static readonly uint[] CrcTable = MakeCrcTable();

    /// <summary>The eight bytes that begin every PNG file.</summary>
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>The size in the header of a PNG file; null for other files.</summary>
    public static (uint Width, uint Height)? DeclaredSize(ReadOnlySpan<byte> file) =>
        file.StartsWith(Signature) && file.Length >= 24
            ? (BinaryPrimitives.ReadUInt32BigEndian(file[16..]), BinaryPrimitives.ReadUInt32BigEndian(file[20..]))
            : null;

    /// <summary>The file with one text chunk per entry after its header.</summary>
    public static byte[] Insert(ReadOnlySpan<byte> png, IReadOnlyDictionary<string, string> entries)
    {
        using var result = new MemoryStream(png.Length + 1024);
        result.Write(png[..HeaderEnd]);
        foreach (var (key, value) in entries)
        {
            // NUL cannot stand in a PNG text.
            var text = value.Replace('\0', '\uFFFD');
            if (Ascii.IsValid(text)) WriteChunk(result, "tEXt"u8, [.. Encoding.ASCII.GetBytes(key), 0, .. Encoding.ASCII.GetBytes(text)]);
            else WriteChunk(result, "iTXt"u8, [.. Encoding.ASCII.GetBytes(key), 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)]);
        }
        result.Write(png[HeaderEnd..]);
        return result.ToArray();
    }

    /// <summary>All texts of a file; of two with one key the last.</summary>
    /// <exception cref="InvalidDataException">The chunks are damaged.</exception>
    public static Dictionary<string, string> Read(ReadOnlySpan<byte> png)
    {
        var entries = new Dictionary<string, string>(StringComparer.Ordinal);
        var total = 0L;
        for (var at = Signature.Length; ;)
        {
            if (png.Length - at < 12) throw new InvalidDataException("the PNG file is cut");
            var length = BinaryPrimitives.ReadUInt32BigEndian(png[at..]);
            if (length > png.Length - at - 12) throw new InvalidDataException("the PNG file is cut");
            var body = png.Slice(at + 8, (int)length);
            var name = png.Slice(at + 4, 4);
            if (name.SequenceEqual("IEND"u8)) return entries;
            if (name.SequenceEqual("tEXt"u8) || name.SequenceEqual("zTXt"u8) || name.SequenceEqual("iTXt"u8))
            {
                if (Crc(png.Slice(at + 4, (int)length + 4)) != BinaryPrimitives.ReadUInt32BigEndian(png[(at + 8 + (int)length)..]))
                    throw new InvalidDataException("a text chunk of the PNG file has a wrong checksum");
                var (key, text) = ReadText(name[0], body);
                total += text.Length;
                if (total > LargestText) throw new InvalidDataException($"the PNG file has more than {LargestText >> 20} MB of text");
                entries[key] = text;
            }
            at += 12 + (int)length;
        }
    }

    private static (string Key, string Text) ReadText(byte kind, ReadOnlySpan<byte> body)
    {
        var rest = body;
        var key = Encoding.Latin1.GetString(Field(ref rest));
        if (kind == 't') return (key, Encoding.Latin1.GetString(rest));
        if (kind == 'z')
        {
            if (rest.Length < 1 || rest[0] != 0) throw Damaged();
            return (key, Encoding.Latin1.GetString(Inflate(rest[1..])));
        }
        if (rest.Length < 2 || rest[0] > 1 || rest[1] != 0) throw Damaged();
        var compressed = rest[0] == 1;
        rest = rest[2..];
        Field(ref rest); // language
        Field(ref rest); // key in that language
        return (key, Encoding.UTF8.GetString(compressed ? Inflate(rest) : rest));
    }

    private static ReadOnlySpan<byte> Field(ref ReadOnlySpan<byte> rest)
    {
        var end = rest.IndexOf((byte)0);
        if (end < 0) throw Damaged();
        var field = rest[..end];
        rest = rest[(end + 1)..];
        return field;
    }

    private static byte[] Inflate(ReadOnlySpan<byte> data)
    {
        using var source = new ZLibStream(new MemoryStream(data.ToArray()), CompressionMode.Decompress);
        using var result = new MemoryStream();
        var buffer = new byte[1 << 14];
        for (int read; (read = source.Read(buffer)) > 0;)
        {
            if (result.Length + read > LargestText) throw new InvalidDataException($"the PNG file has more than {LargestText >> 20} MB of text");
            result.Write(buffer, 0, read);
        }
        return result.ToArray();
    }

    private static InvalidDataException Damaged() => new("a text chunk of the PNG file is damaged");

    private static void WriteChunk(MemoryStream target, ReadOnlySpan<byte> name, ReadOnlySpan<byte> body)
    {
        byte[] named = [.. name, .. body];
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(number, (uint)body.Length);
        target.Write(number);
        target.Write(named);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc(named));
        target.Write(number);
    }

    // CRC-32 with the polynomial EDB88320, over chunk name and body.
    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes) crc = CrcTable[(byte)(crc ^ b)] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (var i = 0u; i < 256; i++)
        {
            var value = i;
            for (var bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? 0xEDB88320 ^ (value >> 1) : value >> 1;
            table[i] = value;
        }
        return table;
    }
}
