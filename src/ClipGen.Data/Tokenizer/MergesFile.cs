using System.IO.Compression;
using System.Text;

namespace ClipGen.Data;

/// <summary>Reads CLIP's merges file: a header line, then one pair of symbols per line, most frequent first. Nothing in it is trusted.</summary>
internal static class MergesFile
{
    /// <summary>Pairs that CLIP uses of the file's 262,144: 49,152 - 256 - 2.</summary>
    public const int ClipMerges = 49152 - 256 - 2;

    /// <summary>Largest text that is read; the released file has 3.1 MB.</summary>
    public const int LargestText = 16 << 20;

    private const int LongestLine = 1024;

    /// <summary>Reads the first <paramref name="count"/> pairs.</summary>
    /// <exception cref="DataException">The file is missing, damaged, too large or too short.</exception>
    public static List<(string First, string Second)> Read(string path, int count)
    {
        if (!File.Exists(path))
            throw new DataException($"{path}: no vocabulary file here; name OpenAI CLIP's bpe_simple_vocab_16e6.txt.gz with --vocab FILE or the environment variable CLIPGEN_VOCAB");
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
            return Read(file, path, count);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new DataException($"{path}: cannot read the vocabulary: {e.Message}", e);
        }
    }

    /// <summary>Reads the first <paramref name="count"/> pairs of a seekable stream, gzip or plain text.</summary>
    /// <exception cref="DataException">As for a file.</exception>
    public static List<(string First, string Second)> Read(Stream stream, string name, int count)
    {
        var isGzip = stream.ReadByte() == 0x1F && stream.ReadByte() == 0x8B;
        stream.Position = 0;
        string text;
        try
        {
            using var source = isGzip ? new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true) : stream;
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(ReadAll(source, name));
        }
        catch (Exception e) when (e is InvalidDataException or DecoderFallbackException)
        {
            throw new DataException($"{name}: not a vocabulary file: {(isGzip ? "its gzip data is damaged" : "it is neither gzip nor UTF-8 text")}", e);
        }
        return Parse(text, name, count);
    }

    private static List<(string First, string Second)> Parse(string text, string name, int count)
    {
        var pairs = new List<(string, string)>(Math.Min(count, text.Length / 3));
        var number = 0;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            if (number++ == 0) continue; // the header
            if (pairs.Count == count) break;
            var line = text.AsSpan()[range].Trim(" \t\r");
            if (line.IsEmpty && range.End.Value == text.Length) break; // the line break at the end of the file
            if (line.Length > LongestLine)
                throw new DataException($"{name}: line {number} has {line.Length:N0} characters: not a vocabulary file");
            var blank = line.IndexOf(' ');
            if (blank < 0 || line[(blank + 1)..].Contains(' '))
                throw new DataException($"{name}: line {number} is not a pair of symbols: not a vocabulary file");
            pairs.Add((line[..blank].ToString(), line[(blank + 1)..].ToString()));
        }
        if (pairs.Count < count)
            throw new DataException($"{name}: holds {pairs.Count:N0} of the {count:N0} merges that CLIP needs: the file is cut or another one");
        return pairs;
    }

    private static byte[] ReadAll(Stream stream, string name)
    {
        using var bytes = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            if (bytes.Length + read > LargestText)
                throw new DataException($"{name}: more than {LargestText >> 20} MB of text: not a vocabulary file");
            bytes.Write(buffer, 0, read);
        }
        return bytes.ToArray();
    }
}
