namespace ClipGen.Cli;

/// <summary>Where files lie that need not be named.</summary>
internal static class KnownFiles
{
    /// <summary>Environment variable with the path of CLIP's merges file.</summary>
    public const string VocabularyVariable = "CLIPGEN_VOCAB";

    private const string VocabularyName = "bpe_simple_vocab_16e6.txt.gz";

    /// <summary>Folders that may hold released files: <c>pretrained</c> below the working directory and beside the sources the program was built from.</summary>
    public static IEnumerable<string> PretrainedFolders
    {
        get
        {
            yield return Path.GetFullPath("pretrained");
            if (SourceRoot is { } root && root != Directory.GetCurrentDirectory()) yield return Path.Combine(root, "pretrained");
        }
    }

    /// <summary>The merges file: the given one, the variable's, one beside the CLIP checkpoint, one in <c>pretrained</c>, or the one beside a development checkout.</summary>
    /// <param name="given">Path from the command line.</param>
    /// <param name="clip">Path of the CLIP checkpoint, if there is one.</param>
    /// <exception cref="JobException">There is none.</exception>
    public static string Vocabulary(string? given, string? clip = null)
    {
        if (given is not null) return given;
        if (Environment.GetEnvironmentVariable(VocabularyVariable) is { Length: > 0 } variable) return variable;
        List<string> places = [];
        if (clip is not null && Path.GetDirectoryName(Path.GetFullPath(clip)) is { } beside) places.Add(beside);
        places.AddRange(PretrainedFolders);
        if (SourceRoot is { } root) places.Add(Path.Combine(root, "..", "shared", "golden"));
        foreach (var place in places)
            if (File.Exists(Path.Combine(place, VocabularyName))) return Path.Combine(place, VocabularyName);
        throw new JobException($"CLIP's vocabulary {VocabularyName} was not found; give its path with --vocab or {VocabularyVariable}, or put it into pretrained/ (it is published with OpenAI's CLIP)");
    }

    /// <summary>A released file: the given path, or the first that is found in <see cref="PretrainedFolders"/>.</summary>
    /// <param name="option">The option that names it.</param>
    /// <param name="given">Path from the command line.</param>
    /// <param name="model">Folder from <c>--model</c>.</param>
    /// <param name="names">File names to look for.</param>
    /// <exception cref="JobException">There is none.</exception>
    public static string Checkpoint(string option, string? given, string? model, params string[] names)
    {
        if (given is not null) return given;
        IEnumerable<string> folders = model is null ? PretrainedFolders : [model, .. PretrainedFolders.Select(folder => Path.Combine(folder, model))];
        foreach (var folder in folders)
            foreach (var name in names)
                if (File.Exists(Path.Combine(folder, name))) return Path.Combine(folder, name);
        throw new JobException($"no {names[0]} in {string.Join(" or ", folders)}; give the file with {option}, or put the released file there (see pretrained/README.md)");
    }

    /// <summary>The checkout this program was built in, or null when it runs elsewhere.</summary>
    private static string? SourceRoot
    {
        get
        {
            for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
                if (File.Exists(Path.Combine(folder.FullName, "ClipGen.sln"))) return folder.FullName;
            return null;
        }
    }
}
