using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>One kernel, generic ones once for each set of types that they are used with.</summary>
/// <param name="Name">The method's name, with its types.</param>
/// <param name="Method">The method.</param>
public sealed record CudaKernelInfo(string Name, MethodInfo Method);

/// <summary>Every kernel of this assembly, found by its attribute; compiling needs no GPU.</summary>
public static class CudaKernels
{
    private const BindingFlags Static = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>All kernels, by name.</summary>
    public static IReadOnlyList<CudaKernelInfo> All { get; } =
    [
        .. typeof(CudaKernels).Assembly.GetTypes().SelectMany(type => type.GetMethods(Static | BindingFlags.DeclaredOnly))
            .Select(method => (Method: method, Mark: method.GetCustomAttribute<CudaKernelAttribute>()))
            .Where(found => found.Mark is not null)
            .SelectMany(found => Instances(found.Method, found.Mark!))
            .Select(method => new CudaKernelInfo(NameOf(method), method))
            .OrderBy(kernel => kernel.Name, StringComparer.Ordinal),
    ];

    /// <summary>Name of a kernel: <c>LayerNorm</c>, <c>GemmTile&lt;TileRows, TileColumns&gt;</c>.</summary>
    public static string NameOf(MethodInfo method)
    {
        ArgumentNullException.ThrowIfNull(method);
        return method.IsGenericMethod ? $"{method.Name}<{string.Join(", ", method.GetGenericArguments().Select(type => type.Name))}>" : method.Name;
    }

    /// <summary>PTX of a kernel for cards of a compute capability of 80 (Ampere) or 90 (Hopper).</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another capability.</exception>
    public static string Ptx(CudaKernelInfo kernel, int capability)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var architecture = capability switch
        {
            80 => CudaArchitecture.SM_80,
            90 => CudaArchitecture.SM_90,
            _ => throw new ArgumentOutOfRangeException(nameof(capability), capability, "expected 80 or 90"),
        };
        using var context = Context.Create(builder => builder.EnableAlgorithms());
        PtxIntrinsics.Register(context);
        using var backend = new PTXBackend(context, architecture, CudaInstructionSet.ISA_78, null!);
        return ((PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), default)).PTXAssembly;
    }

    private static IEnumerable<MethodInfo> Instances(MethodInfo method, CudaKernelAttribute mark)
    {
        if (!method.IsGenericMethodDefinition) return [method];
        var count = method.GetGenericArguments().Length;
        return mark.Variants.Chunk(count).Select(types => method.MakeGenericMethod(types));
    }
}
