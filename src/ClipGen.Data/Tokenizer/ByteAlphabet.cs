namespace ClipGen.Data;

/// <summary>
/// GPT-2's alphabet for bytes: the vocabulary writes each byte as one visible character. Printable Latin-1 bytes stand for themselves,
/// the other 68 are U+0100, U+0101, ... in byte order. Token ids 0..255 follow the same order: printable bytes first.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly byte[] Order = [.. Enumerable.Range(0, 256).OrderBy(b => IsPrintable(b) ? 0 : 1).ThenBy(b => b).Select(b => (byte)b)];
    private static readonly int[] Ids = MakeIds();
    private static readonly int PrintableCount = Enumerable.Range(0, 256).Count(IsPrintable);

    /// <summary>Token id, 0..255, of a byte.</summary>
    public static int Id(byte value) => Ids[value];

    /// <summary>The character that stands for token id 0..255.</summary>
    public static char Character(int id) => id < PrintableCount ? (char)Order[id] : (char)(256 + id - PrintableCount);

    /// <summary>The byte that a character stands for.</summary>
    public static bool TryGetByte(char character, out byte value)
    {
        value = (byte)character;
        if (character < 256) return IsPrintable(character);
        var id = character - 256 + PrintableCount;
        if (id >= 256) return false;
        value = Order[id];
        return true;
    }

    private static bool IsPrintable(int b) => b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);

    private static int[] MakeIds()
    {
        var ids = new int[256];
        for (var id = 0; id < 256; id++) ids[Order[id]] = id;
        return ids;
    }
}
