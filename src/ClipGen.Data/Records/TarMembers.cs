using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace ClipGen.Data.Records;

/// <summary>A file inside a tar archive.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Offset">First byte of its content.</param>
/// <param name="Length">Bytes of its content.</param>
internal readonly record struct TarMember(string Name, long Offset, long Length);

/// <summary>
/// What a tar archive holds (POSIX.1 ustar and pax, GNU's long names): headers of 512 bytes, each followed by its content, filled up to whole blocks. Only headers are read; nothing is unpacked, so that a
/// member's name leads nowhere.
/// </summary>
internal static class TarMembers
{
    private const int Block = 512;
    private const int LargestNames = 1 << 20;
    private const int MostMembers = 1 << 26;

    /// <summary>Files of an archive that lies in a stretch of a file, in their order.</summary>
    /// <exception cref="DataException">It is damaged, or no archive; the message has the byte.</exception>
    public static IEnumerable<TarMember> Read(RecordSource source, long start, long length)
    {
        var header = new byte[Block];
        string? name = null;
        long? size = null;
        var members = 0;
        for (long at = start, end = start + length; ;)
        {
            if (at > end - Block)
            {
                // Archives end with two blocks of zeros; those that were cut off between two members are read as far as they go.
                if (at == end && members > 0 && name is null) yield break;
                throw source.Refuse($"the archive ends at byte {end:N0}, in the middle of a header; it was truncated, or is no tar archive");
            }
            source.Read(at, header);
            if (IsZero(header))
            {
                if (name is not null) throw source.Refuse($"the archive ends behind a name at byte {at:N0}; it is damaged");
                yield break;
            }
            if (!HasChecksum(header)) throw source.Refuse($"there is no tar header at byte {at:N0}; it is damaged, compressed, or no tar archive");
            var content = at + Block;
            var count = Number(header.AsSpan(124, 12)) ?? throw source.Refuse($"the header at byte {at:N0} has no readable size; it is damaged");
            var kind = (char)header[156];
            // A size of pax belongs to the file, not to what describes it.
            if (kind is not ('x' or 'g' or 'L' or 'K') && size is { } stated) count = stated;
            if (count > end - content) throw source.Refuse($"the member at byte {at:N0} has {count:N0} bytes, {end - content:N0} are left; it was truncated");
            switch (kind)
            {
                case 'x':
                    RequireSmall(source, at, count);
                    var pax = Pax(source.Read(content, count)) ?? throw source.Refuse($"the extended header at byte {at:N0} is not of the form that pax defines; it is damaged");
                    if (pax.TryGetValue("path", out var path)) name = path;
                    if (pax.TryGetValue("size", out var text)) size = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw source.Refuse($"the extended header at byte {at:N0} has no readable size; it is damaged");
                    break;
                case 'L':
                    RequireSmall(source, at, count);
                    name = Text(source.Read(content, count));
                    break;
                case 'g' or 'K':
                    break;
                default:
                    if (++members > MostMembers) throw source.Refuse($"has more than {MostMembers:N0} members");
                    // Regular files, by their marks in the three dialects; folders, links and devices are passed over.
                    if (kind is '0' or '\0' or '7') yield return new TarMember(name ?? NameOf(header), content, count);
                    (name, size) = (null, null);
                    break;
            }
            // The last block of an archive that was cut off may not be filled up.
            at = Math.Min(content + (count + Block - 1) / Block * Block, end);
        }
    }

    private static void RequireSmall(RecordSource source, long at, long count)
    {
        if (count > LargestNames) throw source.Refuse($"the header at byte {at:N0} is followed by a name of {count:N0} bytes, more than {LargestNames:N0} are not read");
    }

    private static bool IsZero(ReadOnlySpan<byte> header) => !header.ContainsAnyExcept((byte)0);

    // The sum of all bytes, those of the sum itself taken as blanks.
    private static bool HasChecksum(ReadOnlySpan<byte> header)
    {
        var sum = 8 * ' ';
        for (var i = 0; i < Block; i++)
            if (i is < 148 or >= 156) sum += header[i];
        return Number(header.Slice(148, 8)) == sum;
    }

    // Octal digits between blanks and zeros; GNU's base 256 where the first bit is set.
    private static long? Number(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
        {
            if (field[0] != 0x80 || field.Length > 8 && field[1..^8].ContainsAnyExcept((byte)0)) return null;
            var value = BinaryPrimitives.ReadInt64BigEndian(field[^8..]);
            // In a field of eight bytes the mark is the number's first bit.
            if (field.Length == 8) value &= long.MaxValue;
            return value >= 0 ? value : null;
        }
        var digits = field.Trim(" \0"u8);
        if (digits.Length == 0) return null;
        long number = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7' || number > long.MaxValue >> 3) return null;
            number = number << 3 | (long)(digit - '0');
        }
        return number;
    }

    private static string NameOf(ReadOnlySpan<byte> header)
    {
        var name = Text(header[..100]);
        // "ustar" in front of a version: names may be in two parts.
        return header.Slice(257, 6).SequenceEqual("ustar\0"u8) && Text(header.Slice(345, 155)) is { Length: > 0 } folder ? $"{folder}/{name}" : name;
    }

    private static string Text(ReadOnlySpan<byte> field) => Encoding.UTF8.GetString(field.IndexOf((byte)0) is >= 0 and var end ? field[..end] : field);

    // Records "LENGTH key=value\n", the length counting all of it.
    private static Dictionary<string, string>? Pax(ReadOnlySpan<byte> bytes)
    {
        var values = new Dictionary<string, string>();
        while (bytes.Length > 0)
        {
            var blank = bytes.IndexOf((byte)' ');
            if (blank < 1 || !int.TryParse(bytes[..blank], NumberStyles.None, CultureInfo.InvariantCulture, out var length) || length <= blank + 1 || length > bytes.Length || bytes[length - 1] != '\n') return null;
            var record = bytes[(blank + 1)..(length - 1)];
            var sign = record.IndexOf((byte)'=');
            if (sign < 1) return null;
            values[Encoding.UTF8.GetString(record[..sign])] = Encoding.UTF8.GetString(record[(sign + 1)..]);
            bytes = bytes[length..];
        }
        return values;
    }
}
