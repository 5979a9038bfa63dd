using System.Runtime.InteropServices;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>
/// Recorded work on a card: a CUDA graph of the driver (CUDA C++ programming guide, "CUDA graphs"), captured from the stream. What costs the host microseconds a kernel costs a few for all of them.
/// ILGPU has no word for graphs, so the driver's own functions are called.
/// </summary>
internal sealed partial class CudaGraph : IDisposable
{
    private const int RelaxedCapture = 2;

    private readonly CudaStream stream;
    private nint graph, executable;

    private CudaGraph(CudaStream stream) => this.stream = stream;

    /// <summary>Captures what <paramref name="work"/> launches; nothing runs.</summary>
    /// <exception cref="CudaLaunchException">The driver refused.</exception>
    public static CudaGraph Capture(CudaStream stream, Action work)
    {
        var captured = new CudaGraph(stream);
        using var binding = stream.BindScoped();
        // Relaxed, for memory may be asked for meanwhile; what waits is refused in any mode.
        Require(Driver.BeginCapture(stream.StreamPtr, RelaxedCapture), "cuStreamBeginCapture");
        try
        {
            work();
        }
        catch
        {
            // The stream computes again only when the capture has ended.
            _ = Driver.EndCapture(stream.StreamPtr, out var broken);
            if (broken != 0) _ = Driver.DestroyGraph(broken);
            throw;
        }
        Require(Driver.EndCapture(stream.StreamPtr, out captured.graph), "cuStreamEndCapture");
        try
        {
            Require(Driver.Instantiate(out captured.executable, captured.graph, 0), "cuGraphInstantiateWithFlags");
        }
        catch
        {
            captured.Dispose();
            throw;
        }
        return captured;
    }

    /// <summary>Launches all of it.</summary>
    /// <exception cref="CudaLaunchException">The driver refused.</exception>
    public void Launch()
    {
        using var binding = stream.BindScoped();
        Require(Driver.Launch(executable, stream.StreamPtr), "cuGraphLaunch");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        using var binding = stream.BindScoped();
        if (executable != 0) _ = Driver.DestroyExecutable(executable);
        if (graph != 0) _ = Driver.DestroyGraph(graph);
        executable = graph = 0;
    }

    private static void Require(int error, string call)
    {
        if (error != 0) throw new CudaLaunchException($"{call}: {CudaAPI.CurrentAPI.GetErrorString((CudaError)error)}");
    }

    private static partial class Driver
    {
        // A name of our own, resolved to the driver's library on each system.
        private const string Library = "clipgen-cuda-driver";

        static Driver() => NativeLibrary.SetDllImportResolver(typeof(CudaGraph).Assembly, static (name, _, _) =>
            name == Library ? NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1") : 0);

        [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
        public static partial int BeginCapture(nint stream, int mode);

        [LibraryImport(Library, EntryPoint = "cuStreamEndCapture")]
        public static partial int EndCapture(nint stream, out nint graph);

        [LibraryImport(Library, EntryPoint = "cuGraphInstantiateWithFlags")]
        public static partial int Instantiate(out nint executable, nint graph, ulong flags);

        [LibraryImport(Library, EntryPoint = "cuGraphLaunch")]
        public static partial int Launch(nint executable, nint stream);

        [LibraryImport(Library, EntryPoint = "cuGraphExecDestroy")]
        public static partial int DestroyExecutable(nint executable);

        [LibraryImport(Library, EntryPoint = "cuGraphDestroy")]
        public static partial int DestroyGraph(nint graph);
    }
}
