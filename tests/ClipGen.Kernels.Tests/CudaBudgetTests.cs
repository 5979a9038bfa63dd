using System.Globalization;
using ClipGen.Testing;

namespace ClipGen.Kernels.Tests;

/// <summary>Machine code of every kernel, as the toolkit's assembler makes it for Hopper, against <c>cuda-budget.txt</c>: what it may take of a multiprocessor, and instructions that must be in it.</summary>
public sealed class CudaBudgetTests
{
    private const int Capability = 90;

    private static readonly string File = Path.Combine(RepositoryPaths.Root, "tests", "ClipGen.Kernels.Tests", "cuda-budget.txt");

    private static readonly Line[] Lines = [.. System.IO.File.ReadLines(File).Where(line => line.Length > 0 && line[0] != '#').Select(Parse)];

    public static TheoryData<string> Names => [.. Lines.Select(line => line.Kernel)];

    [Fact]
    public void EveryKernelHasALine() => Assert.Equal(CudaKernels.All.Select(kernel => kernel.Name), Lines.Select(line => line.Kernel));

    [Theory]
    [MemberData(nameof(Names))]
    public void KeepsToItsBudget(string name)
    {
        Assert.SkipWhen(PtxAssembler.Path is null, "ptxas is not installed (CUDA toolkit): machine code was not checked");
        var line = Lines.Single(line => line.Kernel == name);
        var ptx = CudaKernels.Ptx(CudaKernels.All.Single(kernel => kernel.Name == name), Capability);
        var found = PtxAssembler.Assemble(ptx, Capability);
        Assert.Equal((0, 0), (found.StackBytes, found.SpillBytes));
        // No register at all would mean that the report was not understood.
        Assert.InRange(found.Registers, 1, line.Registers);
        Assert.InRange(found.SharedBytes, 0, line.SharedBytes);
        if (line.Instructions.Length == 0) return;
        var instructions = PtxAssembler.Instructions(ptx, Capability).Select(pair => pair.Instruction).ToArray();
        Assert.All(line.Instructions, wanted => Assert.Contains(instructions, instruction => instruction.StartsWith(wanted, StringComparison.Ordinal)));
    }

    private static Line Parse(string text)
    {
        var parts = text.Split('|', StringSplitOptions.TrimEntries);
        return new Line(parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture), int.Parse(parts[2], CultureInfo.InvariantCulture), parts[3].Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    private sealed record Line(string Kernel, int Registers, int SharedBytes, string[] Instructions);
}
