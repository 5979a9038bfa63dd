using System.CommandLine;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels ptx</c>: a kernel as the driver gets it.</summary>
internal sealed class KernelsPtxCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly KernelOptions options = new("compile");

    public override Command Create()
    {
        var command = Command("ptx", "Prints a CUDA kernel's PTX. Needs no GPU.", Run, "clipgen kernels ptx LayerNorm");
        options.AddTo(command);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var target = options.Capability(parsed);
        Output.Write(CudaKernels.Ptx(options.Kernel(parsed), target));
        return 0;
    }
}
