using System.Buffers.Binary;
using System.Text;

namespace ClipGen.Data;

/// <summary>
/// Entries as lines "key: value" in the UserComment of an EXIF block (a little TIFF file; tag 9286 in the sub-directory that tag 8769
/// points to). Line breaks inside a value are written as \n, backslashes doubled.
/// </summary>
internal static class ExifComment
{
    private const ushort Description = 0x010E, SubDirectory = 0x8769, Version = 0x9000, UserComment = 0x9286;
    private const ushort AsciiType = 2, LongType = 4, UndefinedType = 7;
    private const int CodeLength = 8;

    /// <summary>The block: TIFF header, a directory with the pointer, a directory with version and comment, the comment.</summary>
    public static byte[] Write(IReadOnlyDictionary<string, string> entries)
    {
        var text = string.Join('\n', entries.Select(e => $"{e.Key}: {Escape(e.Value)}"));
        byte[] comment = Ascii.IsValid(text)
            ? [.. "ASCII\0\0\0"u8, .. Encoding.ASCII.GetBytes(text)]
            : [.. "UNICODE\0"u8, .. Encoding.Unicode.GetBytes(text)];
        const int sub = 8 + 2 + 12 + 4, data = sub + 2 + 24 + 4;
        using var block = new MemoryStream();
        using var writer = new BinaryWriter(block);
        writer.Write("II*\0"u8);
        writer.Write(8);
        writer.Write((ushort)1);
        Entry(SubDirectory, LongType, 1, sub);
        writer.Write(0);
        writer.Write((ushort)2);
        Entry(Version, UndefinedType, 4, BinaryPrimitives.ReadInt32LittleEndian("0232"u8));
        Entry(UserComment, UndefinedType, comment.Length, data);
        writer.Write(0);
        writer.Write(comment);
        writer.Flush();
        return block.ToArray();

        void Entry(ushort tag, ushort type, int count, int value)
        {
            writer.Write(tag);
            writer.Write(type);
            writer.Write(count);
            writer.Write(value);
        }
    }

    /// <summary>The entries of a block's UserComment, else of its ImageDescription. A text that has no "key: " becomes the entry "comment".</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static Dictionary<string, string> Read(ReadOnlySpan<byte> block)
    {
        if (block.Length < 8) throw Damaged();
        var little = block[..4].SequenceEqual("II*\0"u8);
        if (!little && !block[..4].SequenceEqual("MM\0*"u8)) throw Damaged();
        var root = U32(block, 4, little);
        var text = Find(block, root, SubDirectory, little) is { } pointer && Find(block, U32(block, pointer + 8, little), UserComment, little) is { } comment
            ? Comment(Value(block, comment, UndefinedType, little), little)
            : "";
        if (text.Length == 0 && Find(block, root, Description, little) is { } description)
            text = Encoding.UTF8.GetString(Value(block, description, AsciiType, little)).TrimEnd('\0');
        return Parse(text);
    }

    private static string Comment(ReadOnlySpan<byte> value, bool little)
    {
        if (value.Length < CodeLength) return "";
        var text = value[CodeLength..];
        if (value.StartsWith("UNICODE\0"u8)) return (little ? Encoding.Unicode : Encoding.BigEndianUnicode).GetString(text);
        return Encoding.UTF8.GetString(text).TrimEnd('\0', ' ');
    }

    private static Dictionary<string, string> Parse(string text)
    {
        var entries = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            if (line.Length == 0) continue;
            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            if (colon > 0) entries[line[..colon]] = Unescape(line[(colon + 2)..]);
            else entries["comment"] = Unescape(line);
        }
        return entries;
    }

    private static string Escape(string value) => value.Replace("\\", "\\\\").Replace("\r", "\\r").Replace("\n", "\\n");

    private static string Unescape(string value)
    {
        var result = new StringBuilder(value.Length);
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] != '\\' || i + 1 == value.Length)
            {
                result.Append(value[i]);
                continue;
            }
            result.Append(value[++i] switch
            {
                'n' => "\n",
                'r' => "\r",
                '\\' => "\\",
                var other => $"\\{other}",
            });
        }
        return result.ToString();
    }

    // Place of the entry with the tag in the directory at an offset.
    private static long? Find(ReadOnlySpan<byte> block, long directory, ushort tag, bool little)
    {
        var count = U16(block, directory, little);
        for (var i = 0; i < count; i++)
        {
            var entry = directory + 2 + 12L * i;
            if (U16(block, entry, little) == tag) return entry;
        }
        return null;
    }

    private static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> block, long entry, ushort type, bool little)
    {
        if (U16(block, entry + 2, little) != type) throw Damaged();
        var count = U32(block, entry + 4, little);
        var at = count <= 4 ? entry + 8 : U32(block, entry + 8, little);
        if (at + count > block.Length) throw Damaged();
        return block.Slice((int)at, (int)count);
    }

    private static ushort U16(ReadOnlySpan<byte> block, long at, bool little)
    {
        if (at + 2 > block.Length) throw Damaged();
        var bytes = block.Slice((int)at, 2);
        return little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    private static uint U32(ReadOnlySpan<byte> block, long at, bool little)
    {
        if (at + 4 > block.Length) throw Damaged();
        var bytes = block.Slice((int)at, 4);
        return little ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private static InvalidDataException Damaged() => new("its EXIF data is damaged");
}
