using System.CommandLine;
using ClipGen.Data.Datasets;

namespace ClipGen.Cli.Commands;

/// <summary>What the <c>dataset</c> commands have in common: the dataset.</summary>
internal abstract class DatasetCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> ds = new("DS") { Description = "A folder of pictures, a text file that names one per line, records (.ffr, .tar, shard-{0000..0146}.tar, or a folder of them), coco, imagenet, googlecc, or shapes" };
    private readonly NamedDatasetOption dataRoot = new();
    private readonly Option<bool> validation = new("--validation") { Description = "The part to validate on of coco, imagenet, googlecc; their training part otherwise" };

    /// <summary>Adds the dataset to a command.</summary>
    protected void AddTo(Command command)
    {
        command.Arguments.Insert(0, ds);
        command.Add(dataRoot.Option);
        command.Add(validation);
        Common.AddTo(command);
    }

    /// <summary>Opens it.</summary>
    protected IPictureDataset Open(ParseResult parsed)
    {
        var name = parsed.GetRequiredValue(ds);
        var wanted = parsed.GetValue(validation);
        if (dataRoot.Open(parsed, "DS", name) is { } split)
            return !wanted ? split.Train : split.Validation ?? throw new JobException($"DS {name}: there is no part to validate on below --data-root");
        return !wanted ? PictureDatasets.Open(name, Common.Seed(parsed)) : throw new UsageException($"--validation: belongs to DS {string.Join(", ", NamedDatasets.Names)}");
    }
}
