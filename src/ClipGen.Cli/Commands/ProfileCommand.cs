using System.CommandLine;
using ClipGen.Cli.Profiling;

namespace ClipGen.Cli.Commands;

/// <summary><c>profile</c>: where the time of another command goes.</summary>
internal sealed class ProfileCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    /// <summary>Name of the command.</summary>
    public const string Name = "profile";

    private readonly Argument<string[]> words = new("COMMAND") { Description = "The command to profile with its own options, behind --", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string> outFolder = new("--out") { Description = "Folder for trace.json and profile.html", DefaultValueFactory = _ => "profile" };

    public override Command Create()
    {
        var command = Command(Name, "Runs a command and shows where its time goes, by op and by module: a table, a trace for Perfetto, and a page with roofline, timeline and flame graph.", Run,
            "clipgen profile -- generate --text \"a large red circle on a white background\"",
            "clipgen profile --out where -- train gpt --ds shapes --max-steps 20 --clip-ckpt clip.safetensors --vqgan-ckpt vqgan.safetensors");
        command.Add(words);
        command.Add(outFolder);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var typed = parsed.GetRequiredValue(words);
        if (typed[0] == Name) throw new UsageException("a profile of a profile is not made; give the command itself behind --");
        string[] command = WithOptions(typed, [.. Common.Given(parsed)]);
        var folder = parsed.GetRequiredValue(outFolder);
        OutputFiles.RequireFolder("--out", folder);
        var asJson = Common.IsJson(parsed);
        int code;
        ProfileSession session;
        using (session = new ProfileSession())
        {
            // With --json the table is the result, so that of the command gives way.
            code = CommandLine.RunAsync(command, asJson ? Error : Output, Error).GetAwaiter().GetResult();
        }
        if (code == CommandLine.BadUsage) return code;
        if (session.Device is null && code == 0) Error.WriteLine($"{CommandLine.CommandPath(parsed)}: `{command[0]}` opened no device, so there are no ops to show");
        cancellation.ThrowIfCancellationRequested();
        var report = new ProfileReport($"clipgen {string.Join(' ', command.Select(Quoted))}", session.Profiler, session.Device, session.Device?.MeasurePeaks(), session.PeakBytes);
        Directory.CreateDirectory(folder);
        var (trace, page) = (Path.Combine(folder, "trace.json"), Path.Combine(folder, "profile.html"));
        ChromeTrace.Write(trace, report);
        OutputFiles.WriteText("--out", page, ProfilePage.Render(report, DateTimeOffset.Now));
        if (asJson)
        {
            Output.WriteLine(ProfileTable.Json(report, trace, page));
            return code;
        }
        Output.WriteLine();
        ProfileTable.Write(Output, report);
        Output.WriteLine();
        Output.WriteLine(trace);
        Output.WriteLine(page);
        return code;
    }

    /// <summary>Puts options given to the profile behind the name of the command, where they are the command's.</summary>
    private static string[] WithOptions(string[] typed, string[] options)
    {
        var isGroup = CommandLine.Root(TextWriter.Null, TextWriter.Null).Subcommands.FirstOrDefault(command => command.Name == typed[0])?.Subcommands.Count > 0;
        var names = Math.Min(isGroup ? 2 : 1, typed.Length);
        return [.. typed[..names], .. options, .. typed[names..]];
    }

    private static string Quoted(string word) => word.Length > 0 && word.All(c => char.IsLetterOrDigit(c) || "-_./:=,@".Contains(c)) ? word : $"\"{word}\"";
}
