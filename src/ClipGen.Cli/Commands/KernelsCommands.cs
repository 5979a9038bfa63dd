using System.CommandLine;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels</c>: the kernels, those of the CPU by their speed and those of CUDA as they are compiled.</summary>
internal static class KernelsCommands
{
    /// <summary>The group.</summary>
    public static Command Create(TextWriter output, TextWriter error) => new("kernels", "Times the CPU's kernels, bench, and shows the CUDA kernels: list, ptx, sass, stats. Needs no GPU.")
    {
        new KernelsBenchCommand(output, error).Create(),
        new KernelsListCommand(output, error).Create(),
        new KernelsPtxCommand(output, error).Create(),
        new KernelsSassCommand(output, error).Create(),
        new KernelsStatsCommand(output, error).Create(),
    };
}
