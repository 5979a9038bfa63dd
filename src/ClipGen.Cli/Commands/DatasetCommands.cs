using System.CommandLine;

namespace ClipGen.Cli.Commands;

/// <summary><c>dataset</c>: the commands that look at pictures as a training will see them, and pack them.</summary>
internal static class DatasetCommands
{
    /// <summary>The group.</summary>
    public static Command Create(TextWriter output, TextWriter error) => new("dataset", "Looks at datasets, packs them into records, and checks every picture: info, pack, verify.")
    {
        new DatasetInfoCommand(output, error).Create(),
        new DatasetPackCommand(output, error).Create(),
        new DatasetVerifyCommand(output, error).Create(),
    };
}
