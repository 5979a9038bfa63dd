using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace ClipGen.Kernels;

/// <summary>Marks a method as a kernel: explicitly grouped, its arguments one struct. Every one is listed, compiled and budgeted by <see cref="CudaKernels"/>.</summary>
/// <param name="variants">For a generic kernel: the type arguments that it is used with, one instance for each (kernels of two type parameters name them in pairs).</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CudaKernelAttribute(params Type[] variants) : Attribute
{
    /// <summary>Type arguments.</summary>
    public IReadOnlyList<Type> Variants { get; } = variants;
}

/// <summary>Kernels as loaded for a device: compiled when first launched and held from then on.</summary>
internal sealed class CudaLaunches(Accelerator accelerator, AcceleratorStream stream)
{
    private readonly Dictionary<MethodInfo, Delegate> loaded = [];
    private readonly Lock gate = new();

    // Where work is noted instead of being done.
    private List<Action>? notes;

    /// <summary>Names of the kernels that were launched.</summary>
    public IReadOnlyCollection<string> Names
    {
        get
        {
            lock (gate) return [.. loaded.Keys.Select(CudaKernels.NameOf)];
        }
    }

    /// <summary>Launches a kernel.</summary>
    /// <exception cref="CudaLaunchException">The device refused; the message names the kernel and its sizes.</exception>
    public void Run<A>(Action<A> kernel, Index3D groups, int threads, in A arguments) where A : struct
    {
        if (groups.Size == 0) return;
        if (notes is null) Start(kernel, groups, threads, arguments);
        else Note(kernel, groups, threads, arguments);
    }

    /// <summary>Puts other work that does not wait into the stream, or notes it.</summary>
    public void Run(Action work)
    {
        if (notes is null) work();
        else notes.Add(work);
    }

    /// <summary>Notes what <paramref name="work"/> launches instead of launching it: for emulation, where no driver does.</summary>
    /// <returns>Launches it.</returns>
    public Action Note(Action work)
    {
        var noted = notes = [];
        try
        {
            work();
        }
        finally
        {
            notes = null;
        }
        return () => noted.ForEach(launch => launch());
    }

    // A method of its own: where nothing is noted, nothing is captured.
    private void Note<A>(Action<A> kernel, Index3D groups, int threads, A arguments) where A : struct => notes!.Add(() => Start(kernel, groups, threads, arguments));

    private void Start<A>(Action<A> kernel, Index3D groups, int threads, in A arguments) where A : struct
    {
        try
        {
            Loaded(kernel)(stream, new KernelConfig(groups, new Index3D(threads, 1, 1)), arguments);
        }
        catch (Exception e) when (e is AcceleratorException or InternalCompilerException or NotSupportedException)
        {
            throw new CudaLaunchException($"{CudaKernels.NameOf(kernel.Method)} with {groups.X} x {groups.Y} x {groups.Z} groups of {threads} threads on {accelerator.Name}: {e.Message}", e);
        }
    }

    private Action<AcceleratorStream, KernelConfig, A> Loaded<A>(Action<A> kernel) where A : struct
    {
        lock (gate)
        {
            if (loaded.TryGetValue(kernel.Method, out var found)) return (Action<AcceleratorStream, KernelConfig, A>)found;
            var compiled = accelerator.LoadKernel(kernel);
            loaded.Add(kernel.Method, compiled);
            return compiled;
        }
    }
}

/// <summary>A kernel could not be launched, or failed.</summary>
public sealed class CudaLaunchException(string message, Exception? inner = null) : Exception(message, inner);
