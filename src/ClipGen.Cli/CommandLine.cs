using System.CommandLine;
using ClipGen.Cli.Commands;
using ClipGen.Cli.Commands.Train;

namespace ClipGen.Cli;

/// <summary>The command line as a whole: parses, runs, turns failures into one line and an exit code.</summary>
public static class CommandLine
{
    /// <summary>A job failed: a file, a device, memory.</summary>
    public const int Failed = 1;

    /// <summary>The command was used wrongly.</summary>
    public const int BadUsage = 2;

    /// <summary>Ended by Ctrl-C or SIGTERM, as shells report it.</summary>
    public const int Interrupted = 130;

    /// <summary>Runs a command.</summary>
    /// <param name="args">Words of the command line.</param>
    /// <param name="output">Results go here, and nothing else.</param>
    /// <param name="error">Progress, warnings and the one line of a failure.</param>
    /// <returns>0, <see cref="Failed"/>, <see cref="BadUsage"/> or <see cref="Interrupted"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, TextWriter output, TextWriter error)
    {
        // A prompt may begin with "@", which would otherwise name a file of arguments.
        var parsed = Root(output, error).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not { ClearsParseErrors: true })
        {
            var path = CommandPath(parsed);
            error.WriteLine($"{path}: {Problem(parsed)} See `{path} --help`.");
            return BadUsage;
        }
        return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = HandlesSignals(parsed) ? null : TimeSpan.FromSeconds(10) });
    }

    /// <summary>The tree of commands.</summary>
    internal static RootCommand Root(TextWriter output, TextWriter error)
    {
        var root = new RootCommand("ClipGen: pictures from text with CLIP-GEN's models, on an engine of its own")
        {
            new GenerateCommand(output, error).Create(),
            new ReconstructCommand(output, error).Create(),
            new EncodeCommand(output, error).Create(),
            new DecodeCommand(output, error).Create(),
            new EmbedCommand(output, error).Create(),
            new TokenizeCommand(output, error).Create(),
            new InspectCommand(output, error).Create(),
            new ConvertCommand(output, error).Create(),
            new MergeCodesCommand(output, error).Create(),
            new DownloadCommand(output, error).Create(),
            new Command("train", "Trains a model: vqgan and gpt on pictures alone, clip on pictures with sentences")
            {
                new TrainVqGanCommand(output, error).Create(),
                new TrainGptCommand(output, error).Create(),
                new TrainClipCommand(output, error).Create(),
            },
            DatasetCommands.Create(output, error),
            EvalCommands.Create(output, error),
            new TraceCommand(output, error).Create(),
            new ExplainCommand(output, error).Create(),
            new ProfileCommand(output, error).Create(),
            new BenchCommand(output, error).Create(),
            KernelsCommands.Create(output, error),
            new SelftestCommand(output, error).Create(),
            new DevicesCommand(output, error).Create(),
            new DoctorCommand(output, error).Create(),
            new CompletionCommand(output, error).Create(),
        };
        HelpWithExamples.Install(root);
        return root;
    }

    /// <summary>What is wrong with the arguments, in one line.</summary>
    private static string Problem(ParseResult parsed)
    {
        if (parsed.CommandResult.Command is RootCommand root)
        {
            var names = string.Join(", ", root.Subcommands.Select(command => command.Name));
            return parsed.UnmatchedTokens.Count > 0 ? $"'{ShownText.Of(parsed.UnmatchedTokens[0])}' is not a command; the commands are {names}." : $"a command is missing; the commands are {names}.";
        }
        // The library lists choices one per line.
        return ShownText.Of(string.Join(' ', parsed.Errors.SelectMany(problem => problem.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))));
    }

    /// <summary>A training finishes its step and saves before it ends, however long that takes; a profile waits for the command it runs, which has its own way to end.</summary>
    private static bool HandlesSignals(ParseResult parsed) => parsed.CommandResult.Command.Name == ProfileCommand.Name || parsed.CommandResult.Parent is System.CommandLine.Parsing.CommandResult { Command.Name: "train" };

    /// <summary>The command as it was typed: <c>clipgen train vqgan</c>.</summary>
    internal static string CommandPath(ParseResult parsed)
    {
        List<string> names = [];
        for (var result = parsed.CommandResult; result is not null; result = result.Parent as System.CommandLine.Parsing.CommandResult)
            names.Insert(0, result.Command is RootCommand ? "clipgen" : result.Command.Name);
        return string.Join(' ', names);
    }
}
