using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels stats</c>: a kernel as machine code.</summary>
internal sealed class KernelsStatsCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly KernelOptions options = new("assemble");
    private readonly Option<int> threads = new("--group") { Description = "Threads of a group, for the occupancy", DefaultValueFactory = _ => CudaBackend.MostThreads };

    public override Command Create()
    {
        var command = Command("stats", "Shows what a CUDA kernel takes of a card, and how often each machine instruction stands in it. Needs the CUDA toolkit, but no GPU.", Run, "clipgen kernels stats LayerNorm");
        options.AddTo(command);
        command.Add(threads);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var target = options.Capability(parsed);
        var kernel = options.Kernel(parsed);
        var group = parsed.GetValue(threads) is >= 1 and <= 1024 and var given ? given : throw new UsageException($"--group {parsed.GetValue(threads)}: must be between 1 and 1024");
        KernelOptions.RequireAssembler(parsed);
        var ptx = CudaKernels.Ptx(kernel, target);
        var resources = PtxAssembler.Assemble(ptx, target);
        var occupancy = CudaOccupancy.Capabilities.ToDictionary(card => card, card => CudaOccupancy.Of(resources, group, card));
        var instructions = PtxAssembler.Instructions(ptx, target);
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                kernel = kernel.Name,
                capability = target,
                registers = resources.Registers,
                shared_bytes = resources.SharedBytes,
                stack_bytes = resources.StackBytes,
                spill_bytes = resources.SpillBytes,
                group,
                occupancy = occupancy.ToDictionary(pair => $"sm_{pair.Key}", pair => new { groups = pair.Value.Groups, warps = pair.Value.Warps, share = pair.Value.Share, limit = pair.Value.Limit }),
                instructions = instructions.ToDictionary(pair => pair.Instruction, pair => pair.Count),
            }));
            return 0;
        }
        Output.WriteLine($"{kernel.Name}: {resources.Registers} registers, {resources.SharedBytes} bytes of shared memory, {resources.StackBytes} of stack, {resources.SpillBytes} spilled");
        foreach (var (card, fit) in occupancy)
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"sm_{card}: {fit.Groups} groups of {group} threads at once, {fit.Warps} of {fit.MostWarps} warps ({fit.Share:P0}), limited by {fit.Limit}"));
        foreach (var (instruction, count) in instructions) Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count,6}  {instruction}"));
        return 0;
    }
}
