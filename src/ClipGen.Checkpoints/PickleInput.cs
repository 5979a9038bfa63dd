using System.Buffers.Binary;
using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>The bytes of a pickle, read through a small window; lengths that the pickle claims are checked before anything is allocated.</summary>
internal sealed class PickleInput(IPickledFile file, string what, ByteSource source, long start, long limit)
{
    private readonly byte[] window = new byte[(int)Math.Min(1 << 16, Math.Max(16, limit - start))];
    private long windowStart = start;
    private int at, filled;

    /// <summary>Offset of the next byte within the source.</summary>
    public long Position => windowStart + at;

    public long Remaining => limit - Position;

    public byte ReadByte()
    {
        Ensure(1);
        return window[at++];
    }

    public ushort ReadUInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public int ReadInt32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long ReadInt64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public double ReadDoubleBigEndian() => BinaryPrimitives.ReadDoubleBigEndian(Take(8));

    /// <summary>The next bytes as an array of their own.</summary>
    public byte[] ReadBytes(long count)
    {
        CheckAvailable(count);
        var bytes = new byte[count];
        var buffered = (int)Math.Min(count, filled - at);
        window.AsSpan(at, buffered).CopyTo(bytes);
        at += buffered;
        if (buffered < count)
        {
            source.Read(Position, bytes.AsSpan(buffered));
            windowStart = Position + (count - buffered);
            at = filled = 0;
        }
        return bytes;
    }

    /// <summary>UTF-8 text of a given length.</summary>
    public string ReadText(long count)
    {
        var position = Position;
        CheckAvailable(count);
        if (count > window.Length) return Decode(ReadBytes(count), position);
        return Decode(Take((int)count), position);
    }

    /// <summary>Text up to a line feed.</summary>
    public string ReadLine(int longest)
    {
        var position = Position;
        var line = new List<byte>();
        for (byte next; (next = ReadByte()) != '\n'; line.Add(next))
            if (line.Count >= longest)
                throw file.Refuse($"{what}: a name at byte {position:N0} is longer than {longest} bytes; this is no checkpoint of tensors");
        return Decode(line.ToArray(), position);
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        Ensure(count);
        at += count;
        return window.AsSpan(at - count, count);
    }

    private void Ensure(int count)
    {
        if (filled - at >= count) return;
        CheckAvailable(count);
        window.AsSpan(at, filled - at).CopyTo(window);
        windowStart += at;
        filled -= at;
        at = 0;
        var more = (int)Math.Min(window.Length - filled, limit - windowStart - filled);
        source.Read(windowStart + filled, window.AsSpan(filled, more));
        filled += more;
    }

    private void CheckAvailable(long count)
    {
        if (count < 0 || count > Remaining)
            throw file.Refuse($"{what} ends at byte {limit:N0}, but an object at byte {Position:N0} needs {(ulong)count:N0} bytes more; the file was truncated or damaged, get it again");
    }

    private string Decode(ReadOnlySpan<byte> bytes, long position)
    {
        if (!System.Text.Unicode.Utf8.IsValid(bytes)) throw file.Refuse($"{what}: the text at byte {position:N0} is not UTF-8; the file is damaged");
        return Encoding.UTF8.GetString(bytes);
    }
}
