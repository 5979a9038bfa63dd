using System.CommandLine;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels sass</c>: a kernel as a card runs it.</summary>
internal sealed class KernelsSassCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> name = new("NAME") { Description = "A kernel's name, as kernels list shows it; without its types where that is enough" };
    private readonly Option<int> capability = new("--capability") { Description = "Compute capability to assemble for, times ten: 80 or 90", DefaultValueFactory = _ => 90 };

    public override Command Create()
    {
        var command = Command("sass", "Prints a CUDA kernel's machine code. Needs the CUDA toolkit, but no GPU.", Run, "clipgen kernels sass LayerNorm --capability 80");
        command.Add(name);
        command.Add(capability);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var target = KernelsPtxCommand.Capability(parsed.GetValue(capability));
        var kernel = KernelsPtxCommand.Find(parsed.GetValue(name)!);
        if (PtxAssembler.Path is null) throw new JobException("kernels sass: ptxas was not found; install the CUDA toolkit, or set CUDA_HOME");
        Output.Write(PtxAssembler.Disassemble(CudaKernels.Ptx(kernel, target), target));
        return 0;
    }
}
