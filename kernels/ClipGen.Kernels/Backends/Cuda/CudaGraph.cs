using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>
/// Recorded work on a card: a CUDA graph of the driver (CUDA C++ programming guide, "CUDA graphs"), captured from the stream. What costs the host microseconds a kernel costs a few for all of them.
/// </summary>
internal sealed class CudaGraph : IDisposable
{
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
        CudaDriver.Require(CudaDriver.BeginCapture(stream.StreamPtr, CudaDriver.RelaxedCapture), "cuStreamBeginCapture");
        try
        {
            work();
        }
        catch
        {
            // The stream computes again only when the capture has ended.
            _ = CudaDriver.EndCapture(stream.StreamPtr, out var broken);
            if (broken != 0) _ = CudaDriver.DestroyGraph(broken);
            throw;
        }
        CudaDriver.Require(CudaDriver.EndCapture(stream.StreamPtr, out captured.graph), "cuStreamEndCapture");
        try
        {
            CudaDriver.Require(CudaDriver.Instantiate(out captured.executable, captured.graph, 0), "cuGraphInstantiateWithFlags");
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
        CudaDriver.Require(CudaDriver.Launch(executable, stream.StreamPtr), "cuGraphLaunch");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        using var binding = stream.BindScoped();
        if (executable != 0) _ = CudaDriver.DestroyExecutable(executable);
        if (graph != 0) _ = CudaDriver.DestroyGraph(graph);
        executable = graph = 0;
    }
}
