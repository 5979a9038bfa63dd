using System.Reflection;
using System.Reflection.Emit;

namespace ClipGen.Kernels.Tests;

/// <summary>Every kernel compiles to PTX, with no GPU at hand.</summary>
public sealed class CudaPtxTests
{
    public static TheoryData<string, int> Kernels()
    {
        var data = new TheoryData<string, int>();
        foreach (var kernel in CudaKernels.All)
            foreach (var capability in new[] { 80, 90 })
                data.Add(kernel.Name, capability);
        return data;
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Compiles(string name, int capability)
    {
        var ptx = CudaKernels.Ptx(CudaKernels.All.Single(kernel => kernel.Name == name), capability);
        Assert.Contains(".visible .entry", ptx);
        // What ILGPU 1.5.3 makes of (condition ? 1 : 0) as a float: a number of 1.4e-45 instead of 1.
        Assert.DoesNotContain("0f00000001", ptx);
    }

    [Fact]
    public void NamesAreUnique() => Assert.Equal(CudaKernels.All.Count, CudaKernels.All.Select(kernel => kernel.Name).Distinct().Count());

    [Fact]
    public void NothingDividesUnsignedNumbers()
    {
        // ILGPU 1.5.3 makes an arithmetic shift of an unsigned division by a power of two: wrong from 2³¹ on, which emulation, running the program's own code, does not show.
        Type[] device = [.. typeof(CudaBackend).Assembly.GetTypes().Where(type => type.Name.EndsWith("Cuda", StringComparison.Ordinal) || type.IsValueType && !type.IsEnum || type == typeof(DeviceMath) || type == typeof(GroupReduce) || type == typeof(Philox))];
        Assert.Contains(typeof(SamplingCuda), device);
        Assert.Contains(nameof(Halves), DividingUnsigned([typeof(CudaPtxTests)]));
        Assert.Empty(DividingUnsigned(device));
    }

    private static uint Halves(uint number) => number / 2;

    /// <summary>Methods that divide, or take the remainder of, unsigned numbers.</summary>
    private static IEnumerable<string> DividingUnsigned(IEnumerable<Type> types) =>
        from type in types
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where method.GetMethodBody()?.GetILAsByteArray() is { } code && Instructions(code).Any(instruction => instruction == OpCodes.Div_Un || instruction == OpCodes.Rem_Un)
        select method.Name;

    private static readonly Dictionary<short, OpCode> Codes = typeof(OpCodes).GetFields(BindingFlags.Static | BindingFlags.Public).Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    private static IEnumerable<OpCode> Instructions(byte[] code)
    {
        for (var at = 0; at < code.Length;)
        {
            var instruction = Codes[code[at] == 0xFE ? (short)(0xFE00 | code[at + 1]) : code[at]];
            yield return instruction;
            at += instruction.Size + instruction.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(code, at + instruction.Size),
                _ => 4,
            };
        }
    }
}
