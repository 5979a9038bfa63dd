namespace ClipGen.Testing;

/// <summary>Finds the checkout's folders from wherever a test binary runs.</summary>
public static class RepositoryPaths
{
    /// <summary>The folder that holds ClipGen.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary><c>tests/golden</c>: outputs of the PyTorch reference, committed with the tests.</summary>
    public static string Golden => Path.Combine(Root, "tests", "golden");

    /// <summary>A file below <c>tests/golden</c>; throws when it is missing, so that a test can't pass without its data.</summary>
    public static string GoldenFile(params string[] parts)
    {
        var path = Path.Combine([Golden, .. parts]);
        return File.Exists(path) ? path : throw new FileNotFoundException($"golden file {path} is missing from the checkout", path);
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
