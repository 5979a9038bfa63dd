using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Kernels;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;
using ClipGen.Tensors;
using ClipGen.Tensors.Nn;
using ClipGen.Training;

namespace ClipGen.Cli;

/// <summary>Base of the commands: common options, and failures as one line with an exit code.</summary>
public abstract class CliCommand(TextWriter output, TextWriter error)
{
    /// <summary>Set to 1 to see where an unexpected failure came from.</summary>
    public const string StackTraceVariable = "CLIPGEN_STACKTRACE";

    /// <summary>JSON in which what does not apply is left out.</summary>
    protected static JsonSerializerOptions WithoutNulls { get; } = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Results, and nothing else.</summary>
    protected TextWriter Output => output;

    /// <summary>Progress and warnings.</summary>
    protected TextWriter Error => error;

    /// <summary>Options that every command takes.</summary>
    protected CommonOptions Common { get; } = new();

    /// <summary>Builds the command: options, arguments, action.</summary>
    public abstract Command Create();

    /// <summary>A command whose action is <paramref name="job"/>, with examples under its help text.</summary>
    protected Command Command(string name, string description, Func<ParseResult, CancellationToken, int> job, params string[] examples)
    {
        var command = new Command(name, description);
        HelpWithExamples.Add(command, examples);
        command.SetAction((parsed, cancellation) => Task.Run(() => Guarded(CommandLine.CommandPath(parsed), () => job(parsed, cancellation)), CancellationToken.None));
        return command;
    }

    /// <summary>A warning, unless the user wants quiet.</summary>
    protected void Warn(ParseResult parsed, string message)
    {
        if (!Common.Quiet(parsed)) error.WriteLine($"warning: {message}");
    }

    /// <summary>Does the same with each of several things, one progress line for all; stops between two of them when asked to.</summary>
    protected List<TResult> ForEachPicture<TSource, TResult>(ParseResult parsed, string what, IReadOnlyCollection<TSource> sources, Func<TSource, TResult> work, CancellationToken cancellation)
    {
        List<TResult> results = [];
        using var line = new ProgressLine(error, Common.Quiet(parsed));
        line.Begin(what, sources.Count, "pictures");
        foreach (var source in sources)
        {
            cancellation.ThrowIfCancellationRequested();
            results.Add(work(source));
            line.Report(results.Count);
        }
        line.End();
        return results;
    }

    private int Guarded(string path, Func<int> job)
    {
        try
        {
            return job();
        }
        catch (OperationCanceledException)
        {
            error.WriteLine($"{path}: stopped");
            return CommandLine.Interrupted;
        }
        catch (Exception failure)
        {
            if (failure is AggregateException { InnerExceptions.Count: > 0 } several) failure = several.InnerExceptions[0];
            var (code, message) = Describe(failure);
            error.WriteLine($"{path}: {message.ReplaceLineEndings(" ")}");
            if (Environment.GetEnvironmentVariable(StackTraceVariable) == "1") error.WriteLine(failure);
            return code;
        }
    }

    private static (int Code, string Message) Describe(Exception failure) => failure switch
    {
        UsageException or GenerationException => (CommandLine.BadUsage, failure.Message),
        JobException or DivergedException or EvaluationException or CheckpointException or WeightException or DataException or DeviceMemoryException or CudaLaunchException => (CommandLine.Failed, failure.Message),
        ShapeException => (CommandLine.Failed, failure.Message),
        OutOfMemoryException => (CommandLine.Failed, "out of memory; use a smaller --batch"),
        IOException or UnauthorizedAccessException => (CommandLine.Failed, failure.Message),
        _ => (CommandLine.Failed, $"unexpected failure ({failure.GetType().Name}): {failure.Message}; {StackTraceVariable}=1 shows where"),
    };
}
