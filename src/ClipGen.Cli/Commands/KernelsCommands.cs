using System.CommandLine;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels</c>: the CUDA kernels.</summary>
internal static class KernelsCommands
{
    /// <summary>The group.</summary>
    public static Command Create(TextWriter output, TextWriter error) => new("kernels", "Shows the CUDA kernels: list, ptx, sass, stats. Needs no GPU.")
    {
        new KernelsListCommand(output, error).Create(),
        new KernelsPtxCommand(output, error).Create(),
        new KernelsSassCommand(output, error).Create(),
        new KernelsStatsCommand(output, error).Create(),
    };
}
