using System.CommandLine;
using ClipGen.Models.Evaluation;

namespace ClipGen.Cli.Commands;

/// <summary><c>eval</c>: the commands that measure models.</summary>
internal static class EvalCommands
{
    /// <summary>The group.</summary>
    public static Command Create(TextWriter output, TextWriter error) => new("eval", "Measures models: shapes, reconstruction.")
    {
        new EvalShapesCommand(output, error).Create(),
        new EvalReconstructionCommand(output, error).Create(),
    };

    /// <summary>A progress line that follows an evaluation.</summary>
    public static IEvaluationProgress Following(ProgressLine line) => new Follower(line);

    private sealed class Follower(ProgressLine line) : IEvaluationProgress
    {
        public void Begin(string stage, long total, string unit) => line.Begin(stage, total, unit);

        public void Report(long done) => line.Report(done);
    }
}
