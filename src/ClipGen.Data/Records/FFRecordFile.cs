using System.Buffers.Binary;
using System.IO.Hashing;
using ClipGen.Files;

namespace ClipGen.Data.Records;

/// <summary>
/// A file of FFRecord (HFAiLab/ffrecord), <c>.ffr</c>: CRC-32 of the header (4 bytes), number of samples N (8), CRC-32 of each sample (4 N), offset of each sample (8 N), the samples. Little-endian throughout.
/// A sample ends where the next begins, the last at the end of the file.
/// </summary>
public sealed class FFRecordFile : IDisposable
{
    /// <summary>Ending of such files.</summary>
    public const string Extension = ".ffr";

    private const int FixedBytes = 12;
    private readonly RecordSource source;
    private readonly uint[] checksums;
    private readonly long[] offsets;

    private FFRecordFile(RecordSource source)
    {
        this.source = source;
        if (source.Length < FixedBytes) throw source.Refuse($"has {source.Length} bytes; a file of FFRecord has {FixedBytes} at least");
        Span<byte> head = stackalloc byte[FixedBytes];
        source.Read(0, head);
        var checksum = BinaryPrimitives.ReadUInt32LittleEndian(head);
        var count = BinaryPrimitives.ReadInt64LittleEndian(head[4..]);
        // A writer that did not finish leaves zeros, for the header is written last.
        if (count == 0 && source.Length > FixedBytes) throw source.Refuse("has samples but no header: it was not finished; write it again");
        var most = (source.Length - FixedBytes) / FixedBytes;
        if (count < 0 || count > most) throw source.Refuse($"claims {count:N0} samples; a file of {source.Length:N0} bytes has {most:N0} at most; it is damaged, or no file of FFRecord");
        if (count > Array.MaxLength / FixedBytes) throw source.Refuse($"has {count:N0} samples, more than {Array.MaxLength / FixedBytes:N0} are not read");
        var table = source.Read(FixedBytes, FixedBytes * count);
        HasHeaderChecksum = checksum != 0;
        if (HasHeaderChecksum)
        {
            var crc = new Crc32();
            crc.Append(head[4..]);
            crc.Append(table);
            if (crc.GetCurrentHashAsUInt32() is var found && found != checksum) throw source.Refuse($"its header has the CRC {found:x8}, not {checksum:x8}; it is damaged");
        }
        checksums = new uint[count];
        offsets = new long[count + 1];
        for (var i = 0; i < count; i++)
        {
            checksums[i] = BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(4 * i));
            offsets[i] = BinaryPrimitives.ReadInt64LittleEndian(table.AsSpan(checked((int)(4 * count) + 8 * i)));
        }
        offsets[count] = source.Length;
        var first = FixedBytes + FixedBytes * count;
        for (var i = 0; i <= count; i++)
        {
            if (i == 0 && offsets[0] != first) throw source.Refuse($"its first sample is at byte {offsets[0]:N0}, not right behind the header at {first:N0}; it is damaged");
            if (i > 0 && offsets[i] < offsets[i - 1]) throw source.Refuse($"sample {i - 1:N0} ends at byte {offsets[i]:N0}, before it begins at {offsets[i - 1]:N0}; it is damaged");
        }
    }

    /// <summary>Where it is.</summary>
    public string Path => source.Path;

    /// <summary>Number of samples.</summary>
    public long Count => checksums.Length;

    /// <summary>Bytes of the file.</summary>
    public long Length => source.Length;

    /// <summary>Whether the header has a checksum; those of old versions have none.</summary>
    public bool HasHeaderChecksum { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="DataException">It is missing, damaged, or something else.</exception>
    public static FFRecordFile Open(string path)
    {
        var source = RecordSource.Open(path);
        try
        {
            return new FFRecordFile(source);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of a sample, checked against its CRC.</summary>
    /// <exception cref="DataException">They are damaged, or more than a GiB.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sample.</exception>
    public byte[] Read(long index)
    {
        if (index < 0 || index >= Count) throw new ArgumentOutOfRangeException(nameof(index), index, $"{Path} has {Count:N0} samples");
        var length = offsets[index + 1] - offsets[index];
        if (length > PictureFile.LargestFile) throw new DataException($"{Path}, sample {index}: has {length:N0} bytes, more than {PictureFile.LargestFile:N0} are not read");
        var bytes = source.Read(offsets[index], length);
        return Crc32.HashToUInt32(bytes) is var found && found == checksums[index] ? bytes : throw new DataException($"{Path}, sample {index}: has the CRC {found:x8}, not {checksums[index]:x8}; it is damaged");
    }

    /// <summary>Writes a file; it appears whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="count">Number of samples.</param>
    /// <param name="samples">The samples, that many.</param>
    /// <exception cref="DataException">It can't be written.</exception>
    /// <exception cref="ArgumentException">There are more or fewer samples.</exception>
    public static void Write(string path, int count, IEnumerable<byte[]> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        AtomicFile.Write(path, stream =>
        {
            var header = new byte[FixedBytes + (long)FixedBytes * count];
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(4), count);
            // The samples first: a file that ends early has a header of zeros and is known for what it is.
            stream.Write(new byte[header.Length]);
            var i = 0;
            foreach (var sample in samples)
            {
                if (i == count) throw new ArgumentException($"more than the {count:N0} samples that were announced");
                BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(FixedBytes + 4 * i), Crc32.HashToUInt32(sample));
                BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(FixedBytes + 4 * count + 8 * i), stream.Position);
                stream.Write(sample);
                i++;
            }
            if (i < count) throw new ArgumentException($"{i:N0} samples, {count:N0} were announced");
            BinaryPrimitives.WriteUInt32LittleEndian(header, Crc32.HashToUInt32(header.AsSpan(4)));
            stream.Position = 0;
            stream.Write(header);
        }, (reason, cause) => new DataException($"{path}: can't be written: {reason}", cause));
    }

    /// <inheritdoc/>
    public void Dispose() => source.Dispose();
}
