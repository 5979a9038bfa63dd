using System.Security.Cryptography;

namespace ClipGen.Cli;

/// <summary>Tells files apart.</summary>
internal static class FileHash
{
    private const int SampleBytes = 1 << 20;

    /// <summary>
    /// The first 16 hex digits of a SHA-256 over the file's length and a mebibyte each from its start, middle and end: enough to tell one
    /// training run's file from another's, without reading gigabytes for a picture's metadata.
    /// </summary>
    public static string Short(string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(length));
        var buffer = new byte[SampleBytes];
        foreach (var start in new[] { 0, Math.Max(0, length / 2 - SampleBytes / 2), Math.Max(0, length - SampleBytes) })
        {
            var read = RandomAccess.Read(file, buffer, start);
            hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }
}
