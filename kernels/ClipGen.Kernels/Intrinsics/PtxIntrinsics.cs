using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Types;

namespace ClipGen.Kernels;

/// <summary>
/// Instructions that ILGPU has no word for. Such a method has a body, which emulation runs, and a generator of the same name with <c>Ptx</c> behind it, which writes the instruction where a kernel is
/// compiled to PTX: operands and results stay in registers.
/// </summary>
internal static class PtxIntrinsics
{
    private static readonly Type[] Holders = [typeof(TensorCore), typeof(AsyncCopy), typeof(FastMath)];

    // ILGPU keeps a register's name to itself.
    private static readonly Func<PTXRegisterAllocator.HardwareRegister, string> BareName = typeof(PTXRegisterAllocator)
        .GetMethod("GetStringRepresentation", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!
        .CreateDelegate<Func<PTXRegisterAllocator.HardwareRegister, string>>();

    /// <summary>Makes them known to a context; before its first kernel.</summary>
    public static void Register(Context context)
    {
        var manager = context.GetIntrinsicManager();
        foreach (var method in Holders.SelectMany(holder => holder.GetMethods(BindingFlags.Static | BindingFlags.Public)))
            if (method.GetCustomAttribute<IntrinsicImplementationAttribute>() is not null)
                manager.RegisterMethod(method, new PTXIntrinsic(method.DeclaringType!, method.Name + "Ptx", IntrinsicImplementationMode.GenerateCode));
    }

    /// <summary>Registers that hold a value: one, or those of a struct's fields.</summary>
    public static string List(PTXCodeGenerator generator, Value value) => List(generator.Load(value));

    /// <summary>Registers for what the call gives back.</summary>
    public static string Result(PTXCodeGenerator generator, Value call) => List(generator.Allocate(call));

    /// <summary>A reference as an address of a state space.</summary>
    public static string Address(PTXCodeGenerator generator, Value reference, MemoryAddressSpace space)
    {
        var name = NameOf(generator.LoadHardware(reference));
        if (((AddressSpaceType)reference.Type).AddressSpace == space) return name;
        var converted = NameOf(generator.AllocateRegister(BasicValueType.Int64, PTXRegisterKind.Int64));
        generator.Builder.AppendLine($"\tcvta.to.{(space == MemoryAddressSpace.Shared ? "shared" : "global")}.u64 {converted}, {name};");
        return converted;
    }

    private static string NameOf(PTXRegisterAllocator.HardwareRegister register) => "%" + BareName(register);

    private static string List(RegisterAllocator<PTXRegisterKind>.Register register) => register switch
    {
        RegisterAllocator<PTXRegisterKind>.CompoundRegister compound => string.Join(", ", compound.Children.Select(List)),
        RegisterAllocator<PTXRegisterKind>.HardwareRegister hardware => NameOf(hardware),
        _ => throw new NotSupportedException($"a register of {register.GetType().Name} as an operand"),
    };
}
