using System.CommandLine;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels ptx</c>: a kernel as the driver gets it.</summary>
internal sealed class KernelsPtxCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> name = new("NAME") { Description = "A kernel's name, as kernels list shows it; without its types where that is enough" };
    private readonly Option<int> capability = new("--capability") { Description = "Compute capability to compile for, times ten: 80 or 90", DefaultValueFactory = _ => 90 };

    public override Command Create()
    {
        var command = Command("ptx", "Prints a CUDA kernel's PTX. Needs no GPU.", Run, "clipgen kernels ptx LayerNorm");
        command.Add(name);
        command.Add(capability);
        Common.AddTo(command);
        return command;
    }

    /// <summary>A compute capability that kernels are compiled for.</summary>
    /// <exception cref="UsageException">Another one.</exception>
    public static int Capability(int given) => given is 80 or 90 ? given : throw new UsageException($"--capability {given}: expected 80 or 90");

    /// <summary>The kernel that a name means.</summary>
    /// <exception cref="UsageException">None, or several.</exception>
    public static CudaKernelInfo Find(string name)
    {
        CudaKernelInfo[] found = [.. CudaKernels.All.Where(kernel => kernel.Name == name || kernel.Name.StartsWith(name + "<", StringComparison.Ordinal))];
        return found switch
        {
            [] => throw new UsageException($"no kernel '{name}'; clipgen kernels list shows all"),
            [var only] => only,
            _ => found.FirstOrDefault(kernel => kernel.Name == name) ?? throw new UsageException($"'{name}' is several kernels: {string.Join("; ", found.Select(kernel => kernel.Name))}"),
        };
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var target = Capability(parsed.GetValue(capability));
        Output.Write(CudaKernels.Ptx(Find(parsed.GetValue(name)!), target));
        return 0;
    }
}
