using System.Buffers.Binary;
using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>An entry of a zip file, with the place of its data.</summary>
internal sealed record ZipEntry(string Name, bool IsDeflated, uint Crc, long CompressedLength, long Length, long HeaderOffset)
{
    /// <summary>Offset of the first data byte; from the local header, whose extra field differs from the directory's.</summary>
    public long DataOffset { get; init; }
}

/// <summary>
/// The directory of a zip file, as far as checkpoints need it: stored and deflated entries, ZIP64, one disk. Names stay names (nothing is
/// ever unpacked to disk), every range is checked to lie in the file, and no two entries may overlap.
/// </summary>
internal sealed class ZipDirectory
{
    private const uint LocalSignature = 0x04034B50;
    private const uint EntrySignature = 0x02014B50;
    private const uint EndSignature = 0x06054B50;
    private const uint End64Signature = 0x06064B50;
    private const uint Locator64Signature = 0x07064B50;
    private const int MaxDirectoryBytes = 64 << 20;
    private const int MaxEntries = 200_000;
    private const int MaxNameBytes = 1024;
    private const long MaxDeflateRatio = 1032;
    private readonly Dictionary<string, ZipEntry> entries = [];

    private ZipDirectory()
    {
    }

    /// <summary>The folder that all entries are in, with its slash.</summary>
    public string Root { get; private set; } = "";

    public IReadOnlyCollection<ZipEntry> Entries => entries.Values;

    /// <summary>The entry of that name below <see cref="Root"/>, or null.</summary>
    public ZipEntry? Find(string name) => entries.GetValueOrDefault(Root + name);

    public static ZipDirectory Read(CheckpointFile file)
    {
        var (offset, length, count) = FindDirectory(file);
        if (count > MaxEntries) throw file.Refuse($"the zip directory lists {count:N0} entries, more than {MaxEntries:N0}; this is no checkpoint");
        if (length > MaxDirectoryBytes) throw file.Refuse($"the zip directory takes {length:N0} bytes, more than {MaxDirectoryBytes:N0}; this is no checkpoint");
        var bytes = new byte[length];
        file.Read(offset, bytes);
        var directory = new ZipDirectory();
        var parsed = new List<ZipEntry>((int)count);
        var at = 0;
        for (var i = 0; i < count; i++) parsed.Add(ParseEntry(file, bytes, ref at, offset));
        if (at != bytes.Length) throw file.Refuse($"the zip directory holds {bytes.Length - at:N0} bytes beyond its {count:N0} entries; the file is damaged");
        parsed.Sort((a, b) => a.HeaderOffset.CompareTo(b.HeaderOffset));
        directory.Locate(file, parsed, offset);
        return directory;
    }

    public static ByteSource Open(CheckpointFile file, ZipEntry entry) => entry.IsDeflated
        ? new InflatedBytes(file, entry.Name, entry.DataOffset, entry.CompressedLength, entry.Length)
        : new FileBytes(file, entry.DataOffset, entry.Length);

    /// <summary>Compares an entry's data with its checksum. Zero means that the writer left it out, as torch can be told to.</summary>
    public static void Verify(CheckpointFile file, ZipEntry entry)
    {
        if (entry.Crc == 0) return;
        var source = Open(file, entry);
        var crc = default(Crc32);
        var buffer = new byte[(int)Math.Min(1 << 18, entry.Length)];
        for (long done = 0; done < entry.Length;)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, entry.Length - done));
            source.Read(done, part);
            crc.Add(part);
            done += part.Length;
        }
        if (crc.Value != entry.Crc)
            throw file.Refuse($"entry '{entry.Name}' has the checksum {crc.Value:x8}, its directory says {entry.Crc:x8}; the file is damaged, get it again");
    }

    // The end record is the last thing in the file but for a comment; for sizes beyond 32 bits a second one precedes it.
    private static (long Offset, long Length, long Count) FindDirectory(CheckpointFile file)
    {
        const int endSize = 22, locatorSize = 20, end64Size = 56;
        var tail = new byte[(int)Math.Min(file.Length, endSize + ushort.MaxValue + locatorSize)];
        file.Read(file.Length - tail.Length, tail);
        var end = tail.Length - endSize;
        while (end >= 0 && (U32(tail, end) != EndSignature || end + endSize + U16(tail, end + 20) != tail.Length)) end--;
        if (end < 0) throw file.Refuse("starts as a zip file but its directory at the end is missing; the file was truncated, get it again");
        var endOffset = file.Length - tail.Length + end;
        if (U16(tail, end + 4) != 0 && U16(tail, end + 4) != ushort.MaxValue) throw file.Refuse("is one part of a zip in several parts; join them first");
        long count = U16(tail, end + 10), length = U32(tail, end + 12), offset = U32(tail, end + 16);
        var limit = endOffset;
        if (end >= locatorSize && U32(tail, end - locatorSize) == Locator64Signature)
        {
            var place = U64(file, tail, end - locatorSize + 8);
            if (place > endOffset - locatorSize - end64Size) throw file.Refuse($"the ZIP64 end record is said to be at byte {place:N0}, which is past its place; the file is damaged");
            var record = new byte[end64Size];
            file.Read(place, record);
            if (U32(record, 0) != End64Signature) throw file.Refuse($"there is no ZIP64 end record at byte {place:N0}; the file is damaged");
            count = U64(file, record, 32);
            length = U64(file, record, 40);
            offset = U64(file, record, 48);
            limit = place;
        }
        if (offset > limit || length != limit - offset)
            throw file.Refuse($"the zip directory is said to take {length:N0} bytes at byte {offset:N0}, which does not end at byte {limit:N0}; the file was truncated or damaged, get it again");
        return (offset, length, count);
    }

    private static ZipEntry ParseEntry(CheckpointFile file, byte[] bytes, ref int at, long directoryOffset)
    {
        const int fixedSize = 46;
        var where = directoryOffset + at;
        if (bytes.Length - at < fixedSize || U32(bytes, at) != EntrySignature) throw file.Refuse($"the zip directory has no entry at byte {where:N0}; the file is damaged");
        int flags = U16(bytes, at + 8), method = U16(bytes, at + 10);
        var crc = U32(bytes, at + 16);
        long compressed = U32(bytes, at + 20), length = U32(bytes, at + 24), header = U32(bytes, at + 42);
        int nameLength = U16(bytes, at + 28), extraLength = U16(bytes, at + 30), commentLength = U16(bytes, at + 32);
        if (bytes.Length - at - fixedSize < nameLength + extraLength + commentLength) throw file.Refuse($"the zip directory's entry at byte {where:N0} is cut off; the file is damaged");
        var name = ParseName(file, bytes.AsSpan(at + fixedSize, nameLength), where);
        ReadZip64(file, bytes.AsSpan(at + fixedSize + nameLength, extraLength), name, ref length, ref compressed, ref header);
        at += fixedSize + nameLength + extraLength + commentLength;
        if ((flags & 1) != 0) throw file.Refuse($"zip entry '{name}' is encrypted; save the checkpoint without a password");
        if (method is not (0 or 8)) throw file.Refuse($"zip entry '{name}' is compressed with method {method}; only stored and deflated entries are read, save it again with torch.save");
        if (method == 0 && compressed != length) throw file.Refuse($"stored zip entry '{name}' has two sizes, {compressed:N0} and {length:N0}; the file is damaged");
        if (method == 8 && length > Math.Min(compressed, long.MaxValue / MaxDeflateRatio) * MaxDeflateRatio)
            throw file.Refuse($"zip entry '{name}' claims to inflate from {compressed:N0} to {length:N0} bytes, which deflate cannot do; this is a zip bomb or damage");
        return new ZipEntry(name, method == 8, crc, compressed, length, header);
    }

    private static string ParseName(CheckpointFile file, ReadOnlySpan<byte> bytes, long where)
    {
        if (bytes.Length is 0 or > MaxNameBytes) throw file.Refuse($"the zip entry at byte {where:N0} has a name of {bytes.Length} bytes; 1 to {MaxNameBytes} are allowed");
        if (!System.Text.Unicode.Utf8.IsValid(bytes)) throw file.Refuse($"the zip entry at byte {where:N0} has a name that is not UTF-8");
        var name = Encoding.UTF8.GetString(bytes);
        if (name.Contains('\\') || name.Contains('\0') || name.Split('/').Any(part => part is ".." or "."))
            throw file.Refuse($"zip entry '{name}' tries to leave the archive; this is no honest checkpoint");
        return name;
    }

    private static void ReadZip64(CheckpointFile file, ReadOnlySpan<byte> extra, string name, ref long length, ref long compressed, ref long header)
    {
        while (extra.Length >= 4)
        {
            var id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            var size = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            if (size > extra.Length - 4) break;
            var field = extra.Slice(4, size);
            extra = extra[(4 + size)..];
            if (id != 1) continue;
            Take(ref length, ref field);
            Take(ref compressed, ref field);
            Take(ref header, ref field);
        }

        // Only those fields are there whose 32-bit places hold all ones.
        void Take(ref long value, ref ReadOnlySpan<byte> field)
        {
            if (value != uint.MaxValue) return;
            if (field.Length < 8) throw file.Refuse($"zip entry '{name}' lacks its 64-bit size; the file is damaged");
            var wide = BinaryPrimitives.ReadInt64LittleEndian(field);
            if (wide < 0) throw file.Refuse($"zip entry '{name}' has a 64-bit size beyond any file; the file is damaged");
            value = wide;
            field = field[8..];
        }
    }

    private void Locate(CheckpointFile file, List<ZipEntry> parsed, long directoryOffset)
    {
        const int fixedSize = 30;
        var buffer = new byte[fixedSize + MaxNameBytes];
        long free = 0;
        foreach (var entry in parsed)
        {
            if (entry.HeaderOffset < free) throw file.Refuse($"zip entry '{entry.Name}' overlaps the one before it; this is no honest checkpoint");
            var nameLength = Encoding.UTF8.GetByteCount(entry.Name);
            if (entry.HeaderOffset > directoryOffset - fixedSize - nameLength) throw file.Refuse($"zip entry '{entry.Name}' is said to start at byte {entry.HeaderOffset:N0}, past the data; the file is damaged");
            var header = buffer.AsSpan(0, fixedSize + nameLength);
            file.Read(entry.HeaderOffset, header);
            if (U32(buffer, 0) != LocalSignature || U16(buffer, 26) != nameLength || Encoding.UTF8.GetString(header[fixedSize..]) != entry.Name)
                throw file.Refuse($"zip entry '{entry.Name}' has another header at byte {entry.HeaderOffset:N0} than the directory says; the file is damaged");
            if (U16(buffer, 8) != (entry.IsDeflated ? 8 : 0)) throw file.Refuse($"zip entry '{entry.Name}' is compressed according to one header and not to the other; the file is damaged");
            var data = entry.HeaderOffset + fixedSize + nameLength + U16(buffer, 28);
            if (data > directoryOffset || entry.CompressedLength > directoryOffset - data)
                throw file.Refuse($"zip entry '{entry.Name}' claims {entry.CompressedLength:N0} bytes at byte {data:N0}, the data ends at byte {directoryOffset:N0}; the file was truncated or damaged, get it again");
            free = data + entry.CompressedLength;
            // Tools that pack a folder add an entry for the folder itself.
            if (entry.Name.EndsWith('/') && entry.Length == 0) continue;
            if (!entries.TryAdd(entry.Name, entry with { DataOffset = data })) throw file.Refuse($"zip entry '{entry.Name}' is there twice; this is no honest checkpoint");
        }
        if (entries.Count == 0) throw file.Refuse("is an empty zip file, not a checkpoint");
        var first = entries.Keys.First();
        Root = first[..(first.IndexOf('/') + 1)];
        foreach (var name in entries.Keys)
            if (Root.Length < 2 || !name.StartsWith(Root, StringComparison.Ordinal))
                throw file.Refuse($"is a zip file but not a PyTorch checkpoint: entry '{name}' is not in {(Root.Length < 2 ? "a folder" : $"the folder '{Root}'")}, as torch.save puts all of them");
    }

    private static ushort U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static long U64(CheckpointFile file, byte[] bytes, int at)
    {
        var value = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
        return value >= 0 ? value : throw file.Refuse("a 64-bit size in the zip directory is beyond any file; the file is damaged");
    }
}
