using System.Buffers.Binary;

namespace ClipGen.Fuzz;

/// <summary>Damages files: bits and bytes, stretches left out, doubled or taken from another seed, numbers of 2, 4 and 8 bytes set to what breaks arithmetic, ends cut off.</summary>
internal static class Mutator
{
    private static readonly long[] Numbers = [0, 1, -1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, int.MaxValue, int.MinValue, uint.MaxValue, 1L << 32, long.MaxValue, long.MinValue, long.MaxValue - 7];

    /// <summary>A damaged copy of a seed.</summary>
    /// <param name="random">What decides.</param>
    /// <param name="seed">What is damaged.</param>
    /// <param name="other">Where stretches may be taken from.</param>
    public static byte[] Of(Random random, byte[] seed, byte[] other)
    {
        var bytes = (byte[])seed.Clone();
        for (var edits = random.Next(2) == 0 ? 1 : random.Next(2, 5); edits > 0 && bytes.Length > 0; edits--)
        {
            // Headers decide more than what they describe: a third of the changes goes there.
            var at = random.Next(random.Next(3) == 0 ? Math.Min(bytes.Length, 64) : bytes.Length);
            switch (random.Next(10))
            {
                case 0 or 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 3 or 4:
                    Number(random, bytes.AsSpan(at));
                    break;
                case 5:
                    bytes = [.. bytes[..at], .. bytes[Math.Min(at + random.Next(1, 33), bytes.Length)..]];
                    break;
                case 6:
                    bytes = [.. bytes[..at], .. Stretch(random, bytes), .. bytes[at..]];
                    break;
                case 7 when other.Length > 0:
                    bytes = [.. bytes[..at], .. Stretch(random, other), .. bytes[at..]];
                    break;
                case 8 when random.Next(4) == 0:
                    bytes = bytes[..at];
                    break;
                default:
                    bytes.AsSpan(at, Math.Min(random.Next(1, 9), bytes.Length - at)).Fill((byte)(random.Next(2) * 255));
                    break;
            }
        }
        return bytes;
    }

    private static byte[] Stretch(Random random, byte[] bytes)
    {
        var from = random.Next(bytes.Length);
        return bytes[from..Math.Min(from + random.Next(1, 65), bytes.Length)];
    }

    private static void Number(Random random, Span<byte> place)
    {
        var number = Numbers[random.Next(Numbers.Length)];
        switch (random.Next(3))
        {
            case 0 when place.Length >= 2:
                BinaryPrimitives.WriteInt16LittleEndian(place, unchecked((short)number));
                break;
            case 1 when place.Length >= 4:
                BinaryPrimitives.WriteInt32LittleEndian(place, unchecked((int)number));
                break;
            case 2 when place.Length >= 8:
                BinaryPrimitives.WriteInt64LittleEndian(place, number);
                break;
            default:
                place[0] = unchecked((byte)number);
                break;
        }
    }
}
