using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>Where tensors live and ops run: a backend and its memory. Dispose it last.</summary>
public sealed class Device(IBackend backend) : IDisposable
{
    /// <summary>The ops.</summary>
    public IBackend Backend { get; } = backend;

    /// <summary>Name for messages: <c>cpu</c>.</summary>
    public string Name => Backend.Name;

    /// <summary>Live and peak bytes.</summary>
    public MemoryCounters Memory => Backend.Memory;

    /// <summary>The SIMD backend on <paramref name="threads"/> threads (0: one per processor).</summary>
    /// <param name="threads">Threads.</param>
    /// <param name="variants">Forms of kernels to use; null for what measured fastest.</param>
    /// <exception cref="PlatformNotSupportedException">An instruction set is forced that this processor lacks.</exception>
    public static Device Cpu(int threads = 0, KernelVariants? variants = null) => new(new CpuBackend(threads, variants: variants));

    /// <summary>A CUDA card.</summary>
    /// <exception cref="CudaDeviceException">There is no such card, or it is too old.</exception>
    public static Device Cuda(int index = 0) => new(CudaBackend.Open(index));

    /// <summary>The CUDA kernels on threads of the host, for tests: thousands of times slower than a card.</summary>
    public static Device CudaEmulated() => new(CudaBackend.Emulated());

    /// <summary>The plain double-precision backend, with every real number stored as a double: for gradient checks.</summary>
    public static Device ReferenceInDoubles() => new(new ReferenceBackend(doubles: true));

    /// <summary>A tensor with undefined contents.</summary>
    public Tensor Empty(Shape shape, DType type = DType.Float32) => new(this, shape, type);

    /// <summary>A tensor of zeros.</summary>
    public Tensor Zeros(Shape shape)
    {
        var tensor = Empty(shape);
        Backend.Fill(0, tensor.Floats);
        return tensor;
    }

    /// <summary>A tensor with a copy of host data.</summary>
    /// <exception cref="ArgumentException">The data has another number of elements than the shape.</exception>
    public Tensor From<T>(ReadOnlySpan<T> values, Shape shape) where T : unmanaged
    {
        if (values.Length != shape.Count)
            throw new ArgumentException($"{values.Length} values given for shape {shape}, which has {shape.Count}");
        var tensor = Empty(shape, DTypes.Of<T>());
        Backend.Upload(values, tensor.View<T>());
        return tensor;
    }

    /// <summary>A tensor with a copy of host data.</summary>
    public Tensor From<T>(T[] values, Shape shape) where T : unmanaged => From((ReadOnlySpan<T>)values, shape);

    /// <inheritdoc/>
    public void Dispose() => Backend.Dispose();
}
