using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace ClipGen.Kernels;

/// <summary>
/// The CUDA backend. Its parts lie in the ops' folders (<c>&lt;Op&gt;.Cuda.cs</c>): each checks its arguments and launches kernels, C# methods that ILGPU compiles to PTX.
/// The same kernels run on a machine without a GPU, warp by warp on threads of the host: as <c>cuda-emulated</c>, which is for tests and nothing else.
/// </summary>
/// <remarks>
/// All work goes to one stream, so calls run in the order in which they were made; only <see cref="Download{T}"/>, <see cref="Synchronize"/> and large uploads wait. What a kernel finds wrong in its data
/// (an index outside a table) is noted on the device and thrown there.
/// </remarks>
public sealed partial class CudaBackend : IBackend
{
    /// <summary>Lowest compute capability that the kernels are written for: Ampere's, with asynchronous copies and bf16 products.</summary>
    public const int LeastCapability = 80;

    /// <summary>Threads of a group at most: four warps, few enough that emulation on host threads stays bearable.</summary>
    public const int MostThreads = 128;

    private readonly Context context;
    private readonly Accelerator accelerator;
    private readonly AcceleratorStream stream;
    private readonly CudaMemoryPool pool;
    private readonly CudaLaunches launches;
    private readonly CudaFaults faults;
    private readonly CudaStaging staging;
    private bool recording;

    private CudaBackend(Context context, Accelerator accelerator, string name)
    {
        (this.context, this.accelerator, Name) = (context, accelerator, name);
        stream = accelerator.CreateStream();
        pool = new CudaMemoryPool(accelerator);
        launches = new CudaLaunches(accelerator, stream);
        faults = new CudaFaults(accelerator, stream);
        staging = new CudaStaging(accelerator, stream);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>The card's name, or the emulation's.</summary>
    public string DeviceName => accelerator.Name;

    /// <summary>Names of the kernels that were launched so far.</summary>
    internal IReadOnlyCollection<string> Launched => launches.Names;

    /// <inheritdoc/>
    public MemoryCounters Memory => pool.Counters;

    /// <inheritdoc/>
    public long PoolLimit
    {
        get => pool.Limit;
        set => pool.Limit = value;
    }

    /// <summary>The backend of a card.</summary>
    /// <param name="index">Number of the card, as <see cref="CudaDevices.Find"/> counts.</param>
    /// <exception cref="CudaDeviceException">There is no driver, no such card, or it is too old.</exception>
    public static CudaBackend Open(int index = 0)
    {
        var found = CudaDevices.Require(index);
        var context = Context.Create(builder => builder.Cuda().EnableAlgorithms());
        try
        {
            PtxIntrinsics.Register(context);
            return new CudaBackend(context, context.CreateCudaAccelerator(found.Index), found.Index == 0 ? "cuda" : $"cuda:{found.Index}");
        }
        catch (Exception e) when (e is CudaException or NotSupportedException)
        {
            context.Dispose();
            throw new CudaDeviceException($"{found.Name} could not be opened: {e.Message}");
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>The same kernels on threads of the host, in groups of up to <see cref="MostThreads"/>: thousands of times slower than a card.</summary>
    public static CudaBackend Emulated()
    {
        var context = Context.Create(builder => builder.CPU(new CPUDevice(GroupReduce.WarpSize, MostThreads / GroupReduce.WarpSize, 1)).EnableAlgorithms());
        return new CudaBackend(context, context.GetCPUDevice(0).CreateAccelerator(context), "cuda-emulated");
    }

    /// <inheritdoc/>
    public DeviceMemory Allocate(long byteLength) => pool.Allocate(byteLength);

    /// <inheritdoc/>
    public void Upload<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged
    {
        if (source.IsEmpty) return;
        RequireNoRecording();
        Arguments.Length(destination, source.Length);
        staging.Upload(MemoryMarshal.AsBytes(source), View(destination).SubView(0, source.Length).Cast<byte>());
    }

    /// <inheritdoc/>
    public void Copy<T>(View<T> source, View<T> destination) where T : unmanaged
    {
        Arguments.Length(destination, source.Length);
        if (source.Length == 0) return;
        ArrayView<T> from = View(source), to = View(destination).SubView(0, source.Length);
        launches.Run(() => from.CopyTo(stream, to));
    }

    /// <inheritdoc/>
    public IRecordedWork? Record(Action work)
    {
        RequireNoRecording();
        CudaGraph? graph = null;
        Action? run = null;
        CudaFreeBlocks kept;
        recording = true;
        pool.BeginRecording();
        try
        {
            if (stream is CudaStream card) run = (graph = CudaGraph.Capture(card, work)).Launch;
            else run = launches.Note(work);
        }
        finally
        {
            recording = false;
            kept = pool.EndRecording();
            if (run is null) pool.Return(kept);
        }
        return new Recording(this, run, graph, kept);
    }

    /// <inheritdoc/>
    public void Download<T>(View<T> source, Span<T> destination) where T : unmanaged
    {
        RequireNoRecording();
        if (source.Length > 0)
        {
            if (destination.Length < source.Length) throw new ArgumentException($"Download: {source.Length} elements into {destination.Length}");
            View(source).CopyToCPU(stream, destination[..checked((int)source.Length)]);
        }
        Synchronize();
    }

    /// <inheritdoc/>
    public bool WorksLater => true;

    /// <summary>Waits for everything that was launched, and throws what a kernel found wrong.</summary>
    /// <exception cref="ArgumentException">A kernel found something wrong in its data.</exception>
    public void Synchronize()
    {
        RequireNoRecording();
        stream.Synchronize();
        faults.Throw();
    }

    /// <inheritdoc/>
    public void ResetPeak() => pool.ResetPeak();

    /// <inheritdoc/>
    public void Trim()
    {
        RequireNoRecording();
        stream.Synchronize();
        pool.Trim();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        faults.Dispose();
        staging.Dispose();
        pool.Dispose();
        stream.Dispose();
        accelerator.Dispose();
        context.Dispose();
    }

    private void RequireNoRecording([CallerMemberName] string call = "")
    {
        if (recording) throw new InvalidOperationException($"{call}: work that is recorded can't wait for the host; do it before or after");
    }

    /// <summary>A view as ILGPU sees it; empty for an argument that was left out.</summary>
    internal static ArrayView<T> View<T>(View<T> view) where T : unmanaged
    {
        if (view.Memory is null) return ArrayView<T>.Empty;
        if (view.Memory is not CudaMemory memory) throw new ArgumentException($"expected memory of a CUDA device, found {view.Memory.GetType().Name}: the tensor lives on another device");
        return memory.Bytes.Cast<T>().SubView(view.Offset, view.Length);
    }

    /// <summary>Launches groups of threads; the arguments are one struct.</summary>
    private void Launch<A>(Action<A> kernel, long groups, int threads, in A arguments) where A : struct => launches.Run(kernel, new Index3D(checked((int)groups), 1, 1), threads, arguments);

    /// <summary>The same over a plane of groups.</summary>
    private void Launch<A>(Action<A> kernel, Index2D groups, int threads, in A arguments) where A : struct => launches.Run(kernel, new Index3D(groups.X, groups.Y, 1), threads, arguments);

    /// <summary>The same over a box of groups.</summary>
    private void Launch<A>(Action<A> kernel, Index3D groups, int threads, in A arguments) where A : struct => launches.Run(kernel, groups, threads, arguments);

    /// <summary>Launches as many groups as fill the device, at most one thread per element; the kernel strides over the elements.</summary>
    private void LaunchOver<A>(Action<A> kernel, long elements, in A arguments) where A : struct
    {
        if (elements == 0) return;
        Launch(kernel, Math.Min((elements + MostThreads - 1) / MostThreads, 16L * accelerator.NumMultiprocessors), MostThreads, arguments);
    }

    /// <summary>Threads for a row of this many columns: whole warps, four columns a thread where there are enough.</summary>
    private static int ThreadsOf(long columns) => (int)Math.Clamp((columns + 127) / 128 * 32, 32, MostThreads);

    private sealed class Recording(CudaBackend owner, Action run, CudaGraph? graph, CudaFreeBlocks kept) : IRecordedWork
    {
        private bool disposed;

        public void Run()
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            run();
        }

        public void Dispose()
        {
            if (disposed) return;
            disposed = true;
            // A graph that still runs must not go.
            owner.stream.Synchronize();
            graph?.Dispose();
            owner.pool.Return(kept);
        }
    }
}
