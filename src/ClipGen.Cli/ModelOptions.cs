using System.CommandLine;
using ClipGen.Checkpoints;
using ClipGen.Models;

namespace ClipGen.Cli;

/// <summary>The options <c>--model</c>, <c>--clip</c>, <c>--vqgan</c> and <c>--gpt</c> of a command, and the files that they mean.</summary>
internal sealed class ModelOptions
{
    /// <summary>Name of the model that comes with the program; a folder of that name is opened as <c>./shapes</c>.</summary>
    public const string BuiltIn = "shapes";

    private static readonly string[] Endings = [".pt", ".pth", ".ckpt", ".safetensors"];
    private readonly Option<string?> model;
    private readonly Dictionary<ModelKind, Option<string?>> files;

    /// <summary>Options for the models that a command takes.</summary>
    public ModelOptions(params ModelKind[] kinds)
    {
        model = new("--model") { Description = $"Folder with the models' files, told by their content, or {BuiltIn} for the built-in model (default: the released files in pretrained, else the built-in model)" };
        files = kinds.ToDictionary(kind => kind, kind => new Option<string?>(OptionOf(kind)) { Description = $"{NameOf(kind)} checkpoint (default: that of --model)" });
    }

    /// <summary>The options, to be added to the command.</summary>
    public IEnumerable<Option> All => [model, .. files.Values];

    /// <summary>Whether <c>--model</c> is given.</summary>
    public bool IsGiven(ParseResult parsed) => parsed.GetValue(model) is not null;

    /// <summary>Files of the models: those given by themselves, the rest from one place.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="needed">Models that the command can't do without.</param>
    /// <param name="wanted">Models whose files are looked for in the same place, and may be missing.</param>
    /// <exception cref="JobException">A needed one is nowhere; the message says where it was looked for and what to do.</exception>
    public IReadOnlyDictionary<ModelKind, string> Resolve(ParseResult parsed, IReadOnlyList<ModelKind> needed, params IReadOnlyList<ModelKind> wanted)
    {
        var found = files.Where(file => parsed.GetValue(file.Value) is not null).ToDictionary(file => file.Key, file => parsed.GetValue(file.Value)!);
        var missing = needed.Where(kind => !found.ContainsKey(kind)).ToArray();
        if (missing.Length == 0) return found;
        var place = parsed.GetValue(model) switch
        {
            null => DefaultPlace(missing, anyGiven: found.Count > 0),
            BuiltIn => BuiltInPlace(missing),
            var folder => FolderPlace(folder, missing),
        };
        foreach (var kind in missing) found.Add(kind, place(kind)!);
        foreach (var kind in wanted)
            if (place(kind) is { } path) found.TryAdd(kind, path);
        return found;
    }

    /// <summary>The released files of the nearest folder that has any of them, else the built-in model; half a set is not completed from another model.</summary>
    private static Func<ModelKind, string?> DefaultPlace(ModelKind[] missing, bool anyGiven)
    {
        foreach (var folder in KnownFiles.PretrainedFolders)
        {
            var absent = missing.Where(kind => Released(folder, kind) is null).ToArray();
            if (absent.Length == 0) return kind => Released(folder, kind);
            if (absent.Length < missing.Length)
                throw new JobException($"{folder} has some of the released files, but no {Names(absent)}; put it there (see pretrained/README.md), give it with {OptionsOf(absent)}, or use the built-in model with --model {BuiltIn}");
            if (!anyGiven && missing.All(kind => Shapes(folder, kind) is not null)) return kind => Shapes(folder, kind);
        }
        throw new JobException(anyGiven
            ? $"no {Names(missing)} in {Places}; give it with {OptionsOf(missing)}, or say where it is with --model (--model {BuiltIn} for the built-in model)"
            : $"no {Names(missing)} in {Places}, and no built-in model either ({string.Join(", ", missing.Select(ShapesName))}); put the released files there (see pretrained/README.md), give files with {OptionsOf(missing)}, or a folder with --model");
    }

    private static Func<ModelKind, string?> BuiltInPlace(ModelKind[] missing)
    {
        foreach (var folder in KnownFiles.PretrainedFolders)
            if (missing.All(kind => Shapes(folder, kind) is not null)) return kind => Shapes(folder, kind);
        throw new JobException($"--model {BuiltIn}: no {string.Join(", ", missing.Select(ShapesName))} in {Places}; these files come with the program (a folder of that name is ./{BuiltIn})");
    }

    private static Func<ModelKind, string?> FolderPlace(string given, ModelKind[] missing)
    {
        var folder = new[] { given }.Concat(KnownFiles.PretrainedFolders.Select(pretrained => Path.Combine(pretrained, given))).FirstOrDefault(Directory.Exists)
            ?? throw new JobException($"--model {given}: there is no such folder; give a folder with the models' files, or {BuiltIn} for the built-in model");
        var content = new Lazy<FolderContent>(() => FolderContent.Read(folder));
        string? Find(ModelKind kind) => Released(folder, kind) ?? Shapes(folder, kind) ?? (content.Value.Models[kind].ToArray() is [var only] ? only : null);
        foreach (var kind in missing.Where(kind => Find(kind) is null))
            throw new JobException(content.Value.Models[kind].Any()
                ? $"--model {given}: {string.Join(" and ", content.Value.Models[kind].Select(Path.GetFileName))} each hold {kind.Describe()}; say which with {OptionOf(kind)}"
                : $"--model {given}: no file in {folder} holds {kind.Describe()} (such as {ReleasedNames(kind)[0]}){content.Value.Remark}; give the file with {OptionOf(kind)}, or use the built-in model with --model {BuiltIn}");
        return Find;
    }

    private static string? Released(string folder, ModelKind kind) => ReleasedNames(kind).Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static string? Shapes(string folder, ModelKind kind) => File.Exists(Path.Combine(folder, ShapesName(kind))) ? Path.Combine(folder, ShapesName(kind)) : null;

    private static string Places => string.Join(" or ", KnownFiles.PretrainedFolders);

    private static string Names(IEnumerable<ModelKind> kinds) => string.Join(", ", kinds.Select(kind => ReleasedNames(kind)[0]));

    private static string OptionsOf(IEnumerable<ModelKind> kinds) => string.Join(", ", kinds.Select(OptionOf));

    private static string OptionOf(ModelKind kind) => $"--{kind.ToString().ToLowerInvariant()}";

    /// <summary>File name of one of the built-in models.</summary>
    public static string ShapesName(ModelKind kind) => $"{BuiltIn}-{kind.ToString().ToLowerInvariant()}.safetensors";

    private static string NameOf(ModelKind kind) => kind switch { ModelKind.Clip => "CLIP", ModelKind.VqGan => "VQ-GAN", _ => "GPT" };

    /// <summary>File names under which a model is published, the first choice first.</summary>
    public static string[] ReleasedNames(ModelKind kind) => kind switch
    {
        ModelKind.Clip => ["clip_vit_b32.pt", "ViT-B-32.pt"],
        ModelKind.VqGan => ["vqgan_coco.pt"],
        _ => ["gpt_coco.pt"],
    };

    /// <summary>The checkpoints of a folder by what is in them.</summary>
    private sealed record FolderContent(ILookup<ModelKind, string> Models, string Remark)
    {
        public static FolderContent Read(string folder)
        {
            List<(ModelKind Kind, string Path)> models = [];
            var remark = "";
            foreach (var path in Directory.EnumerateFiles(folder).Where(path => Endings.Contains(Path.GetExtension(path).ToLowerInvariant())).Order(StringComparer.Ordinal))
                try
                {
                    using var checkpoint = Checkpoint.Open(path);
                    if (CheckpointWeights.Recognise(checkpoint) is { } kind) models.Add((kind, path));
                }
                catch (CheckpointException unreadable)
                {
                    // Another file may be the one that is looked for; if none is, this may be why.
                    remark = $"; {unreadable.Message}";
                }
            return new FolderContent(models.ToLookup(entry => entry.Kind, entry => entry.Path), remark);
        }
    }
}
