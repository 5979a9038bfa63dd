using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Functions of the card's special units, for results that are rounded to bf16 anyway.</summary>
internal static class FastMath
{
    /// <summary>2ˣ within 2⁻²² of itself (PTX ISA, ex2.approx.ftz); 0 for −∞, NaN for NaN.</summary>
    [IntrinsicImplementation]
    public static float Exp2(float x) => (float)System.Math.Pow(2, x);

    /// <summary>log₂ x within 2⁻²² (PTX ISA, lg2.approx.ftz); −∞ for 0, NaN for NaN.</summary>
    [IntrinsicImplementation]
    public static float Log2(float x) => (float)System.Math.Log2(x);

    /// <summary>Instruction of <see cref="Exp2"/>.</summary>
    public static void Exp2Ptx(PTXBackend backend, PTXCodeGenerator generator, Value call) => Write("ex2", generator, call);

    /// <summary>Instruction of <see cref="Log2"/>.</summary>
    public static void Log2Ptx(PTXBackend backend, PTXCodeGenerator generator, Value call) => Write("lg2", generator, call);

    private static void Write(string instruction, PTXCodeGenerator generator, Value call)
    {
        var x = PtxIntrinsics.List(generator, call[0]);
        generator.Builder.AppendLine($"\t{instruction}.approx.ftz.f32 {PtxIntrinsics.Result(generator, call)}, {x};");
    }
}
