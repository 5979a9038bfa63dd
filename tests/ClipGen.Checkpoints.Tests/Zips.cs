using System.IO.Compression;
using System.Text;

namespace ClipGen.Checkpoints.Tests;

/// <summary>Hand-made archives and pickles, made with the framework's zip writer so that the project's own is not tested by itself.</summary>
internal static class Zips
{
    public static byte[] Of(params (string Name, byte[] Data)[] entries) => Of(CompressionLevel.NoCompression, entries);

    public static byte[] Of(CompressionLevel level, params (string Name, byte[] Data)[] entries)
    {
        var output = new MemoryStream();
        using (var zip = new ZipArchive(output, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, data) in entries)
            {
                using var stream = zip.CreateEntry(name, level).Open();
                stream.Write(data);
            }
        return output.ToArray();
    }

    /// <summary>A checkpoint with that pickle and, as storage 0, sixteen bytes.</summary>
    public static byte[] WithPickle(byte[] pickle) => Of(("archive/data.pkl", pickle), ("archive/data/0", new byte[16]), ("archive/version", "3\n"u8.ToArray()));

    /// <summary>Text whose characters are bytes.</summary>
    public static byte[] Pickle(string opcodes) => Encoding.Latin1.GetBytes("\u0080\u0002" + opcodes + ".");
}
