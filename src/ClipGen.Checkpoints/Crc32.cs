using System.Buffers.Binary;

namespace ClipGen.Checkpoints;

/// <summary>The CRC of zip files (IEEE 802.3, reflected), eight bytes per step.</summary>
internal struct Crc32
{
    private const uint Polynomial = 0xEDB88320;
    private static readonly uint[] Tables = MakeTables();
    private uint state;

    /// <summary>The checksum of everything added so far.</summary>
    public readonly uint Value => state;

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var crc = default(Crc32);
        crc.Add(bytes);
        return crc.Value;
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        var tables = Tables;
        var crc = ~state;
        while (bytes.Length >= 8)
        {
            var low = BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc;
            var high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = tables[1792 + (low & 255)] ^ tables[1536 + ((low >> 8) & 255)] ^ tables[1280 + ((low >> 16) & 255)] ^ tables[1024 + (low >> 24)]
                ^ tables[768 + (high & 255)] ^ tables[512 + ((high >> 8) & 255)] ^ tables[256 + ((high >> 16) & 255)] ^ tables[high >> 24];
            bytes = bytes[8..];
        }
        foreach (var b in bytes) crc = tables[(crc ^ b) & 255] ^ (crc >> 8);
        state = ~crc;
    }

    // Table k holds the effect of a byte that is followed by k zero bytes.
    private static uint[] MakeTables()
    {
        var tables = new uint[8 * 256];
        for (uint i = 0; i < 256; i++)
        {
            var crc = i;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ Polynomial : crc >> 1;
            tables[i] = crc;
        }
        for (var i = 256; i < tables.Length; i++) tables[i] = tables[tables[i - 256] & 255] ^ (tables[i - 256] >> 8);
        return tables;
    }
}
