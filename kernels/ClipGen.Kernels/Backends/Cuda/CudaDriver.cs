using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>Functions of the driver that ILGPU has no word for (CUDA driver API).</summary>
internal static partial class CudaDriver
{
    /// <summary>Others may ask for memory while a stream is captured.</summary>
    public const int RelaxedCapture = 2;

    // A name of our own, resolved to the driver's library on each system.
    private const string Library = "clipgen-cuda-driver";

    static CudaDriver() => NativeLibrary.SetDllImportResolver(typeof(CudaDriver).Assembly, static (name, _, _) =>
        name == Library ? NativeLibrary.Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1") : 0);

    /// <summary>Throws where a call did not give 0.</summary>
    /// <exception cref="CudaLaunchException">The driver refused.</exception>
    public static void Require(int error, string call)
    {
        if (error != 0) throw new CudaLaunchException($"{call}: {CudaAPI.CurrentAPI.GetErrorString((CudaError)error)}");
    }

    [LibraryImport(Library, EntryPoint = "cuInit")]
    public static partial int Begin(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetCount")]
    public static partial int CountDevices(out int count);

    [LibraryImport(Library, EntryPoint = "cuMemHostAlloc")]
    public static partial int AllocateHost(out nint memory, nuint bytes, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemFreeHost")]
    public static partial int FreeHost(nint memory);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial int CopyToDevice(nint device, nint host, nuint bytes, nint stream);

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
