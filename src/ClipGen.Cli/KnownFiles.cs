using ClipGen.Data;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli;

/// <summary>Where files lie that need not be named.</summary>
internal static class KnownFiles
{
    /// <summary>Environment variable with the path of CLIP's merges file.</summary>
    public const string VocabularyVariable = "CLIPGEN_VOCAB";

    private const string VocabularyName = "bpe_simple_vocab_16e6.txt.gz";

    /// <summary>
    /// Folders that may hold models, the nearest first: <c>pretrained</c> below the working directory, beside the sources the program was built from, and beside the program.
    /// </summary>
    public static IEnumerable<string> PretrainedFolders
    {
        get
        {
            List<string> folders = [Path.GetFullPath("pretrained")];
            if (SourceRoot is { } root) folders.Add(Path.Combine(root, "pretrained"));
            folders.Add(Path.Combine(AppContext.BaseDirectory, "pretrained"));
            return folders.Distinct();
        }
    }

    /// <summary>The tokenizer of a CLIP file: of the given merges file, of the vocabulary stored in the file, or CLIP's own.</summary>
    /// <param name="given">Path of a merges file from the command line.</param>
    /// <param name="clip">Path of the CLIP checkpoint.</param>
    /// <exception cref="JobException">CLIP's merges file is needed and not there.</exception>
    /// <exception cref="DataException">A vocabulary is none.</exception>
    public static ITextTokenizer Tokenizer(string? given, string clip) =>
        given is null && ModelFiles.Tokenizer(clip) is { } own ? own : ClipTokenizer.Load(given ?? Vocabulary(clip) ?? throw NoVocabulary());

    /// <summary>CLIP's merges file: the variable's, one beside the CLIP checkpoint, one in <c>pretrained</c>, or the one beside a development checkout; null if there is none.</summary>
    /// <param name="clip">Path of the CLIP checkpoint, if there is one.</param>
    public static string? Vocabulary(string? clip = null)
    {
        if (Environment.GetEnvironmentVariable(VocabularyVariable) is { Length: > 0 } variable) return variable;
        List<string> places = [];
        if (clip is not null && Path.GetDirectoryName(Path.GetFullPath(clip)) is { } beside) places.Add(beside);
        places.AddRange(PretrainedFolders);
        if (SourceRoot is { } root) places.Add(Path.Combine(root, "..", "shared", "golden"));
        return places.Select(place => Path.Combine(place, VocabularyName)).FirstOrDefault(File.Exists);
    }

    /// <summary>A model's file for a training: the given one, or the first of those names in <see cref="PretrainedFolders"/>.</summary>
    /// <param name="option">The option that names it.</param>
    /// <param name="given">Path from the command line.</param>
    /// <param name="names">File names to look for.</param>
    /// <exception cref="JobException">There is none.</exception>
    public static string Frozen(string option, string? given, params string[] names) =>
        given ?? PretrainedFolders.SelectMany(folder => names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists)
        ?? throw new JobException($"no {string.Join(" or ", names)} in {string.Join(" or ", PretrainedFolders)}; give the file with {option}");

    /// <summary>The failure when <see cref="Vocabulary"/> finds nothing.</summary>
    public static JobException NoVocabulary() =>
        new($"CLIP's vocabulary {VocabularyName} was not found; give its path with --vocab or {VocabularyVariable}, or put it into pretrained/ (it is published with OpenAI's CLIP)");

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
