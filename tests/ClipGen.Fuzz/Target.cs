using System.Formats.Tar;
using System.IO.Compression;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Data.Records;
using ClipGen.Testing;

namespace ClipGen.Fuzz;

/// <summary>A parser, files that it reads, and what it may say of files that it does not.</summary>
/// <param name="Name">For the table and <c>--parser</c>.</param>
/// <param name="Seeds">Files to damage.</param>
/// <param name="Wrap">What is made of a damaged seed before it is read: the pickle's archive, whose checksum would otherwise stop it at the door.</param>
/// <param name="Read">Reads a file, and enough of what it claims to hold.</param>
/// <param name="IsRefusal">Whether a failure is the parser's own.</param>
internal sealed record Target(string Name, IReadOnlyList<byte[]> Seeds, Func<byte[], byte[]> Wrap, Action<string> Read, Func<Exception, bool> IsRefusal)
{
    private const int LargestSeed = 20_000;
    private const int MergeCount = 6;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Target> All()
    {
        var archives = Golden("checkpoints", "zip_*.pt");
        return
        [
            new("pickle", [.. archives.Select(Pickle)], Archive, Checkpoint_, e => e is CheckpointException),
            new("zip", [.. archives, .. Golden("checkpoints", "bad_*.pt"), .. Golden("checkpoints", "evil_*.pt")], Same, Checkpoint_, e => e is CheckpointException),
            new("legacy", Golden("checkpoints", "legacy_*.pt"), Same, Checkpoint_, e => e is CheckpointException),
            new("safetensors", [Safetensors()], Same, Checkpoint_, e => e is CheckpointException),
            new("vocabulary", [Merges()], Same, Vocabulary, e => e is DataException),
            new("ffrecord", [Records()], Unsigned, FFRecord, e => e is DataException),
            new("sample", Samples(), bytes => bytes, path => PickledSample(path), e => e is DataException),
            new("tar", [.. new[] { TarEntryFormat.V7, TarEntryFormat.Ustar, TarEntryFormat.Pax, TarEntryFormat.Gnu }.Select(Tar)], Signed, Archives, e => e is DataException),
            new("metadata", [.. Pictures(), .. Texts()], Same, path => PictureFile.ReadMetadata(path), e => e is DataException),
            new("picture", Pictures(), Same, path => PictureFile.Load(path), e => e is DataException),
        ];
    }

    private static byte[] Same(byte[] bytes) => bytes;

    private static void Checkpoint_(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        var bytes = new byte[1 << 12];
        foreach (var tensor in checkpoint.Tensors.Take(64))
        {
            var count = (int)Math.Min(tensor.Count, bytes.Length / 8);
            tensor.ReadBytes(tensor.Count - count, bytes.AsSpan(0, count * tensor.Type.ByteSize()));
            tensor.ReadFloats(0, new float[count]);
        }
    }

    private static void Vocabulary(string path)
    {
        using var stream = File.OpenRead(path);
        ClipTokenizer.Load(stream, path, MergeCount);
    }

    private static void FFRecord(string path)
    {
        using var file = FFRecordFile.Open(path);
        for (var i = 0L; i < Math.Min(file.Count, 64); i++) file.Read(i);
    }

    private static void Archives(string path)
    {
        using var dataset = new TarDataset(path, [path]);
        for (var i = 0L; i < Math.Min(dataset.Count, 64); i++) dataset.Stored(i);
    }

    private static void PickledSample(string path)
    {
        // The sample of a file of records that is sound but for it.
        var file = path + ".ffr";
        FFRecordFile.Write(file, 1, [File.ReadAllBytes(path)]);
        using var dataset = new FFRecordDataset(file);
        dataset.Load(0);
    }

    private static IReadOnlyList<byte[]> Golden(string folder, string pattern) =>
        [.. Directory.GetFiles(Path.Combine(RepositoryPaths.Root, "tests", "golden", folder), pattern).Order(StringComparer.Ordinal).Select(File.ReadAllBytes).Where(bytes => bytes.Length is > 0 and <= LargestSeed)];

    private static IReadOnlyList<byte[]> Pictures() => [.. Golden(Path.Combine("images", "files"), "*"), PictureFile.EncodePng(Painted())];

    private static byte[][] Texts() =>
    [
        .. new[] { "a.png", "a.jpg", "a.webp" }.Select(name =>
        {
            var path = Path.Combine(Path.GetTempPath(), $"clipgen-fuzz-{Guid.NewGuid():N}-{name}");
            PictureFile.Save(Painted(), path, new Dictionary<string, string> { ["prompt"] = "caf\u00E9", ["seed"] = "1" });
            var bytes = File.ReadAllBytes(path);
            File.Delete(path);
            return bytes;
        }),
    ];

    private static Picture Painted()
    {
        var picture = new Picture(12, 10);
        for (var i = 0; i < picture.Rgb.Length; i++) picture.Rgb[i] = (byte)(i * 7);
        return picture;
    }

    private static byte[] Pickle(byte[] archive)
    {
        using var zip = new ZipArchive(new MemoryStream(archive));
        using var entry = zip.Entries.Single(entry => entry.Name == "data.pkl").Open();
        using var bytes = new MemoryStream();
        entry.CopyTo(bytes);
        return bytes.ToArray();
    }

    // Storages of a hundred bytes each, as many as the seeds name.
    private static byte[] Archive(byte[] pickle)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add("archive/data.pkl", pickle);
            for (var i = 0; i < 12; i++) Add($"archive/data/{i}", new byte[96]);
            Add("archive/version", "3\n"u8.ToArray());

            void Add(string name, byte[] content)
            {
                using var stream = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
                stream.Write(content);
            }
        }
        return bytes.ToArray();
    }

    private static byte[] Safetensors()
    {
        var path = Path.Combine(Path.GetTempPath(), $"clipgen-fuzz-{Guid.NewGuid():N}.safetensors");
        SafetensorsWriter.Write(path, [TensorSource.From("a.weight", [1, 2, 3, 4, 5, 6], 2, 3), TensorSource.From("b", [7]), TensorSource.From("c", [], 0, 5)], new Dictionary<string, string> { ["format"] = "pt" });
        var bytes = File.ReadAllBytes(path);
        File.Delete(path);
        return bytes;
    }

    private static byte[] Merges()
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new StreamWriter(gzip))
        {
            writer.Write("#version\n");
            foreach (var merge in new[] { "i n", "t h", "a n", "r e", "th e</w>", "in g</w>" }) writer.Write($"{merge}\n");
        }
        return bytes.ToArray();
    }

    private static byte[] Records()
    {
        var path = Path.Combine(Path.GetTempPath(), $"clipgen-fuzz-{Guid.NewGuid():N}.ffr");
        FFRecordFile.Write(path, 3, ["abc"u8.ToArray(), [], "hello"u8.ToArray()]);
        var bytes = File.ReadAllBytes(path);
        File.Delete(path);
        return bytes;
    }

    // A header without a checksum is legal: half of the files have none, or nothing behind it would be reached.
    private static byte[] Unsigned(byte[] bytes)
    {
        if (bytes.Length > 12 && bytes[^1] % 2 == 0) bytes.AsSpan(0, 4).Clear();
        return bytes;
    }

    // The pickles of the tests: Pillow's pictures by Python, protocols 2 and 4, and a dict with a file.
    private static byte[][] Samples() =>
    [
        Convert.FromBase64String("gAJjUElMLkpwZWdJbWFnZVBsdWdpbgpKcGVnSW1hZ2VGaWxlCnEAKYFxAV1xAih9cQMoWAQAAABqZmlmcQRNAQFYAwAAAGRwaXEFS0hLSIZxBlgEAAAAZXhpZnEHY19jb2RlY3MKZW5jb2RlCnEIWAYAAABFeGlmAABxCVgGAAAAbGF0aW4xcQqGcQtScQxYBwAAAGNvbW1lbnRxDVgFAAAAY2Fmw6lxDlgDAAAAaWNjcQ9OdVgDAAAAUkdCcRBLA0sChnERTmgIWBIAAAAAAQIDBAUGBwgJCgsMDQ4PEBFxEmgKhnETUnEUZWIu"),
        Convert.FromBase64String("gASVgQAAAAAAAACMCVBJTC5JbWFnZZSMBUltYWdllJOUKYGUXZQofZQojARqZmlmlE0BAYwDZHBplEtIS0iGlIwEZXhpZpRDBkV4aWYAAJSMB2NvbW1lbnSUjAVjYWbDqZSMA2ljY5ROdYwBUJRLAksBhpRdlChLAUsCSwNLBEsFSwZlQwIBAJRlYi4="),
        Convert.FromBase64String("gASVMwAAAAAAAAB9lCiMB2NhcHRpb26UjAlhIHBpY3R1cmWUjAtpbWFnZV9ieXRlc5RDB0BAUE5HQECUdS4="),
    ];

    private static byte[] Tar(TarEntryFormat dialect)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, dialect, leaveOpen: true))
            foreach (var name in new[] { "a/1.png", dialect == TarEntryFormat.V7 ? "b.png" : new string('n', 120) + "/2.png" })
            {
                TarEntry entry = dialect switch
                {
                    TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, name),
                    TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
                    TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name),
                    _ => new GnuTarEntry(TarEntryType.RegularFile, name),
                };
                entry.DataStream = new MemoryStream(new byte[700]);
                writer.WriteEntry(entry);
            }
        return bytes.ToArray();
    }

    // The sums of all headers are made right, or they would stop every change.
    private static byte[] Signed(byte[] bytes)
    {
        for (var at = 0; at + 512 <= bytes.Length; at += 512)
        {
            var header = bytes.AsSpan(at, 512);
            if (!header[257..].StartsWith("ustar"u8) && at > 0) continue;
            header.Slice(148, 8).Fill((byte)' ');
            var sum = 0;
            foreach (var value in header) sum += value;
            System.Text.Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
        }
        return bytes;
    }
}
