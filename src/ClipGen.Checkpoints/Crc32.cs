using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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
        // Plain references: with bounds checks on eight lookups per step this takes twice as long.
        ref var table = ref MemoryMarshal.GetArrayDataReference(Tables);
        var crc = ~state;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            var mixed = word ^ crc;
            crc = Unsafe.Add(ref table, 1792 + (nint)(mixed & 255))
                ^ Unsafe.Add(ref table, 1536 + (nint)((mixed >> 8) & 255))
                ^ Unsafe.Add(ref table, 1280 + (nint)((mixed >> 16) & 255))
                ^ Unsafe.Add(ref table, 1024 + (nint)((mixed >> 24) & 255))
                ^ Unsafe.Add(ref table, 768 + (nint)((mixed >> 32) & 255))
                ^ Unsafe.Add(ref table, 512 + (nint)((mixed >> 40) & 255))
                ^ Unsafe.Add(ref table, 256 + (nint)((mixed >> 48) & 255))
                ^ Unsafe.Add(ref table, (nint)(mixed >> 56));
        }
        foreach (var b in bytes[(bytes.Length & ~7)..]) crc = Unsafe.Add(ref table, (nint)((crc ^ b) & 255)) ^ (crc >> 8);
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
