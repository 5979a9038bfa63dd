namespace ClipGen.Testing;

/// <summary>Finds the checkout's folders from wherever a test binary runs.</summary>
public static class RepositoryPaths
{
    /// <summary>The folder that holds ClipGen.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary><c>tests/golden</c>: outputs of the PyTorch reference, committed with the tests.</summary>
    public static string Golden => Path.Combine(Root, "tests", "golden");

    /// <summary>
    /// A file below <c>tests/golden</c>; throws when it is missing, so that a test can't pass without its data. A large file is committed as <c>NAME.br</c> and unpacked into the
    /// folder for temporary files when it is first asked for.
    /// </summary>
    public static string GoldenFile(params string[] parts)
    {
        var path = Path.Combine([Golden, .. parts]);
        if (File.Exists(path)) return path;
        var packed = new FileInfo($"{path}.br");
        if (!packed.Exists) throw new FileNotFoundException($"golden file {path} is missing from the checkout", path);
        // Named by the packed file's content, so that a checkout with other data gets its own.
        var hash = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(packed.FullName)))[..16];
        var unpacked = Path.Combine(Path.GetTempPath(), $"clipgen-golden-{hash}", parts[^1]);
        if (File.Exists(unpacked)) return unpacked;
        Directory.CreateDirectory(Path.GetDirectoryName(unpacked)!);
        var part = $"{unpacked}.{Guid.NewGuid():N}";
        using (var source = new System.IO.Compression.BrotliStream(packed.OpenRead(), System.IO.Compression.CompressionMode.Decompress))
        using (var target = File.Create(part)) source.CopyTo(target);
        // Several test processes may do this at once; each renames a whole file.
        File.Move(part, unpacked, overwrite: true);
        return unpacked;
    }

    /// <summary>CLIP's merges file, which is not committed: <c>CLIPGEN_VOCAB</c>, or the shared folder beside the checkout, or null.</summary>
    public static string? Vocabulary
    {
        get
        {
            var path = Environment.GetEnvironmentVariable("CLIPGEN_VOCAB")
                ?? Path.Combine(Root, "..", "shared", "golden", "bpe_simple_vocab_16e6.txt.gz");
            return File.Exists(path) ? path : null;
        }
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ClipGen.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"no ClipGen.sln above {AppContext.BaseDirectory}");
    }
}
