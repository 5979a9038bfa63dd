using System.CommandLine;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary>What the commands about kernels ask for: which one, and for which cards.</summary>
/// <param name="purpose">What is done for the cards: compile, assemble.</param>
internal sealed class KernelOptions(string purpose)
{
    private readonly Argument<string> name = new("NAME") { Description = "A kernel's name, as kernels list shows it; without its types where that is enough" };
    private readonly Option<int> capability = new("--capability") { Description = $"Compute capability to {purpose} for, times ten: 80 or 90", DefaultValueFactory = _ => 90 };

    /// <summary>Adds the name and the cards to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(name);
        AddCapabilityTo(command);
    }

    /// <summary>Adds the cards alone, for a command about all kernels.</summary>
    public void AddCapabilityTo(Command command) => command.Add(capability);

    /// <summary>The compute capability.</summary>
    /// <exception cref="UsageException">One that kernels are not compiled for.</exception>
    public int Capability(ParseResult parsed) => parsed.GetValue(capability) is (80 or 90) and var given ? given : throw new UsageException($"--capability {parsed.GetValue(capability)}: expected 80 or 90");

    /// <summary>The kernel that the name means.</summary>
    /// <exception cref="UsageException">None, or several.</exception>
    public CudaKernelInfo Kernel(ParseResult parsed)
    {
        var wanted = parsed.GetValue(name)!;
        CudaKernelInfo[] found = [.. CudaKernels.All.Where(kernel => kernel.Name == wanted || kernel.Name.StartsWith(wanted + "<", StringComparison.Ordinal))];
        return found switch
        {
            [] => throw new UsageException($"no kernel '{wanted}'; clipgen kernels list shows all"),
            [var only] => only,
            _ => found.FirstOrDefault(kernel => kernel.Name == wanted) ?? throw new UsageException($"'{wanted}' is several kernels: {string.Join("; ", found.Select(kernel => kernel.Name))}"),
        };
    }

    /// <summary>Sees that there is an assembler.</summary>
    /// <exception cref="JobException">There is none.</exception>
    public static void RequireAssembler(ParseResult parsed)
    {
        if (PtxAssembler.Path is null) throw new JobException($"kernels {parsed.CommandResult.Command.Name}: ptxas was not found; install the CUDA toolkit, or set CUDA_HOME");
    }
}
