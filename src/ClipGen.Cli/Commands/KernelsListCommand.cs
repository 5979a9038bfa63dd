using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels list</c>: every CUDA kernel, and what it takes of a card.</summary>
internal sealed class KernelsListCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly KernelOptions options = new("assemble");

    public override Command Create()
    {
        var command = Command("list", "Lists every CUDA kernel; with registers, shared memory and spills where the CUDA toolkit is installed. Needs no GPU.", Run, "clipgen kernels list", "clipgen kernels list --json");
        options.AddCapabilityTo(command);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var target = options.Capability(parsed);
        if (PtxAssembler.Path is null) Warn(parsed, "ptxas was not found, so registers, shared memory and spills are not shown; install the CUDA toolkit, or set CUDA_HOME");
        List<(string Name, KernelResources? Resources)> rows = [];
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            line.Begin("kernels", CudaKernels.All.Count, "kernels");
            foreach (var kernel in CudaKernels.All)
            {
                cancellation.ThrowIfCancellationRequested();
                rows.Add((kernel.Name, PtxAssembler.Path is null ? null : PtxAssembler.Assemble(CudaKernels.Ptx(kernel, target), target)));
                line.Report(rows.Count);
            }
            line.End();
        }
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(rows.Select(row => new
            {
                kernel = row.Name,
                capability = target,
                registers = row.Resources?.Registers,
                shared_bytes = row.Resources?.SharedBytes,
                stack_bytes = row.Resources?.StackBytes,
                spill_bytes = row.Resources?.SpillBytes,
            })));
            return 0;
        }
        var width = rows.Max(row => row.Name.Length);
        Output.WriteLine($"{"kernel".PadRight(width)}  registers  shared  stack  spills");
        foreach (var (name, resources) in rows)
            Output.WriteLine(resources is null
                ? name
                : string.Create(CultureInfo.InvariantCulture, $"{name.PadRight(width)}  {resources.Registers,9}  {resources.SharedBytes,6}  {resources.StackBytes,5}  {resources.SpillBytes,6}"));
        return 0;
    }
}
