using System.CommandLine;
using ClipGen.Data.Datasets;

namespace ClipGen.Cli;

/// <summary>The option <c>--data-root</c> of commands that take a dataset.</summary>
internal sealed class NamedDatasetOption
{
    private static readonly string Names = string.Join(", ", NamedDatasets.Names);

    /// <summary>The option.</summary>
    public Option<string?> Option { get; } = new("--data-root") { Description = $"Folder that holds a dataset given by its name ({Names})" };

    /// <summary>The two parts of a dataset that is given by its name; null for any other.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="culprit">What the name was given as: <c>--ds</c>.</param>
    /// <param name="name">The name, or a path.</param>
    /// <param name="captioned">Only the pictures that have sentences about them, with these.</param>
    /// <exception cref="UsageException">The folder is missing, or given for something else.</exception>
    public DatasetSplit? Open(ParseResult parsed, string culprit, string name, bool captioned = false)
    {
        var root = parsed.GetValue(Option);
        if (NamedDatasets.IsName(name))
        {
            var folder = root ?? throw new UsageException($"{culprit} {name}: give the folder that holds it with --data-root (a folder of that name is ./{name})");
            return captioned ? NamedDatasets.OpenCaptioned(name, folder) : NamedDatasets.Open(name, folder);
        }
        return root is null ? null : throw new UsageException($"--data-root: belongs to {culprit} {Names}; {culprit} {ShownText.Of(name)} says by itself where it is");
    }
}
