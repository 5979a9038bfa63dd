using System.Numerics;

namespace ClipGen.Training.Reporting;

/// <summary>The checksum of TensorBoard's records: CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), masked so that a CRC may stand in data that is itself summed.</summary>
internal static class MaskedCrc
{
    /// <summary>CRC-32C of the bytes.</summary>
    public static uint Unmasked(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    /// <summary>rotr(crc, 15) + 0xA282EAD8 modulo 2^32.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => BitOperations.RotateRight(Unmasked(bytes), 15) + 0xA282EAD8;
}
