using System.Buffers.Binary;
using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>
/// Writes stored zip entries whose data begins at multiples of 64 bytes, as PyTorch does, so that tensors can be used from a mapped file.
/// Sizes are known beforehand; checksums are filled in after the data. ZIP64 fields appear where sizes or offsets
/// reach <paramref name="narrowLimit"/>, which only tests set lower than 32 bits hold.
/// </summary>
internal sealed class ZipWriter(FileStream stream, long narrowLimit = uint.MaxValue)
{
    private const int Alignment = 64;
    private const ushort PaddingField = 0x4246; // "FB", what PyTorch uses
    private const ushort Utf8Names = 0x0800;
    private readonly List<(string Name, uint Crc, long Length, long Offset)> entries = [];

    /// <summary>Checksums of all entries so far, chained; part of the archive's identity.</summary>
    public ulong DataHash { get; private set; } = 0xCBF29CE484222325;

    /// <summary>Adds an entry from memory.</summary>
    public void Add(string name, byte[] data) => Add(name, data.Length, put => put(data));

    /// <summary>Adds an entry of known length, whose data <paramref name="write"/> hands over in pieces.</summary>
    public void Add(string name, long length, Action<TensorSource.SpanAction> write)
    {
        var offset = stream.Position;
        WriteLocalHeader(name, length, offset);
        var crc = default(Crc32);
        long written = 0;
        write(bytes =>
        {
            crc.Add(bytes);
            stream.Write(bytes);
            written += bytes.Length;
        });
        if (written != length) throw new InvalidOperationException($"entry '{name}' was announced with {length} bytes, {written} were written");
        var end = stream.Position;
        Span<byte> checksum = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(checksum, crc.Value);
        stream.Position = offset + 14;
        stream.Write(checksum);
        stream.Position = end;
        entries.Add((name, crc.Value, length, offset));
        DataHash = (DataHash ^ crc.Value) * 0x100000001B3;
    }

    /// <summary>Writes the directory.</summary>
    public void Finish()
    {
        var start = stream.Position;
        foreach (var (name, crc, length, offset) in entries) WriteDirectoryEntry(name, crc, length, offset);
        var end = stream.Position;
        var size = end - start;
        var record = new Record();
        if (entries.Count >= ushort.MaxValue || size >= narrowLimit || start >= narrowLimit)
        {
            record.U32(0x06064B50).U64(44).U16(45).U16(45).U32(0).U32(0).U64(entries.Count).U64(entries.Count).U64(size).U64(start);
            record.U32(0x07064B50).U32(0).U64(end).U32(1);
        }
        var count = (ushort)Math.Min(entries.Count, ushort.MaxValue);
        record.U32(0x06054B50).U16(0).U16(0).U16(count).U16(count).U32(Narrow(size)).U32(Narrow(start)).U16(0);
        stream.Write(record.Bytes);
    }

    private void WriteLocalHeader(string name, long length, long offset)
    {
        var nameBytes = Encoding.UTF8.GetBytes(name);
        var extra = new Record();
        if (length >= narrowLimit) extra.U16(1).U16(16).U64(length).U64(length);
        var unpadded = offset + 30 + nameBytes.Length + extra.Bytes.Length + 4;
        var padding = (int)((Alignment - unpadded % Alignment) % Alignment);
        extra.U16(PaddingField).U16((ushort)padding).Fill((byte)'Z', padding);
        var header = new Record();
        header.U32(0x04034B50).U16(Version(length, 0)).U16(Utf8Names).U16(0).U16(0).U16(0).U32(0).U32(Narrow(length)).U32(Narrow(length));
        header.U16((ushort)nameBytes.Length).U16((ushort)extra.Bytes.Length);
        stream.Write(header.Bytes);
        stream.Write(nameBytes);
        stream.Write(extra.Bytes);
    }

    private void WriteDirectoryEntry(string name, uint crc, long length, long offset)
    {
        var nameBytes = Encoding.UTF8.GetBytes(name);
        var wide = new Record();
        if (length >= narrowLimit) wide.U64(length).U64(length);
        if (offset >= narrowLimit) wide.U64(offset);
        var extra = new Record();
        if (wide.Bytes.Length > 0) extra.U16(1).U16((ushort)wide.Bytes.Length);
        var version = Version(length, offset);
        var entry = new Record();
        entry.U32(0x02014B50).U16(version).U16(version).U16(Utf8Names).U16(0).U16(0).U16(0).U32(crc).U32(Narrow(length)).U32(Narrow(length));
        entry.U16((ushort)nameBytes.Length).U16((ushort)(extra.Bytes.Length + wide.Bytes.Length)).U16(0).U16(0).U16(0).U32(0).U32(Narrow(offset));
        stream.Write(entry.Bytes);
        stream.Write(nameBytes);
        stream.Write(extra.Bytes);
        stream.Write(wide.Bytes);
    }

    private ushort Version(long length, long offset) => (ushort)(length >= narrowLimit || offset >= narrowLimit ? 45 : 20);

    // All ones say that the value is in the ZIP64 field.
    private uint Narrow(long value) => value >= narrowLimit ? uint.MaxValue : (uint)value;

    private sealed class Record
    {
        private readonly MemoryStream bytes = new();

        public ReadOnlySpan<byte> Bytes => bytes.GetBuffer().AsSpan(0, (int)bytes.Length);

        public Record U16(ushort value)
        {
            Span<byte> two = stackalloc byte[2];
            BinaryPrimitives.WriteUInt16LittleEndian(two, value);
            bytes.Write(two);
            return this;
        }

        public Record U32(uint value)
        {
            Span<byte> four = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(four, value);
            bytes.Write(four);
            return this;
        }

        public Record U64(long value)
        {
            Span<byte> eight = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(eight, value);
            bytes.Write(eight);
            return this;
        }

        public Record Fill(byte value, int count)
        {
            for (var i = 0; i < count; i++) bytes.WriteByte(value);
            return this;
        }
    }
}
