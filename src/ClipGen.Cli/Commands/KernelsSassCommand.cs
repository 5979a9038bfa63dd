using System.CommandLine;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels sass</c>: a kernel as a card runs it.</summary>
internal sealed class KernelsSassCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly KernelOptions options = new("assemble");

    public override Command Create()
    {
        var command = Command("sass", "Prints a CUDA kernel's machine code. Needs the CUDA toolkit, but no GPU.", Run, "clipgen kernels sass LayerNorm --capability 80");
        options.AddTo(command);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var target = options.Capability(parsed);
        var kernel = options.Kernel(parsed);
        KernelOptions.RequireAssembler(parsed);
        Output.Write(PtxAssembler.Disassemble(CudaKernels.Ptx(kernel, target), target));
        return 0;
    }
}
