using ClipGen.Kernels;

namespace ClipGen.Tensors;

/// <summary>
/// A contiguous, row-major array on a device. Pictures are channels-last, [N, H, W, C]; sequences [N, T, C].
/// It belongs to the <see cref="TensorScope"/> that is current where it is made, or to the caller when there is none.
/// </summary>
public sealed class Tensor : IDisposable
{
    private readonly TensorStorage storage;
    private bool disposed;

    internal Tensor(Device device, Shape shape, DType type)
        : this(device, shape, type, new TensorStorage(device.Backend.Allocate(checked(shape.Count * type.ByteSize()))))
    {
    }

    private Tensor(Device device, Shape shape, DType type, TensorStorage storage)
    {
        Device = device;
        Shape = shape;
        Type = type;
        this.storage = storage;
        TensorScope.Adopt(this);
    }

    /// <summary>Where it lives.</summary>
    public Device Device { get; }

    /// <summary>Its axes.</summary>
    public Shape Shape { get; }

    /// <summary>Its element type.</summary>
    public DType Type { get; }

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>
    /// Whether its gradient is to be found: a parameter, or an input that is looked into. Set it on tensors that no op made.
    /// </summary>
    /// <exception cref="InvalidOperationException">A recorded op made it.</exception>
    public bool RequiresGrad
    {
        get => Node is not null;
        set
        {
            if (Node is { Leaf: null }) throw new InvalidOperationException("RequiresGrad belongs to tensors that no op made; the results of ops have it by their inputs");
            Node = value ? Node ?? Tensors.Node.OfLeaf(this) : null;
        }
    }

    /// <summary>The gradient that <see cref="Tape.Backward"/> added up, or null when there is none (yet).</summary>
    public Tensor? Gradient { get; private set; }

    /// <summary>Frees the gradient.</summary>
    public void ClearGradient()
    {
        Gradient?.Dispose();
        Gradient = null;
    }

    /// <summary>What made it where gradients are recorded, or the leaf's own: where its gradient goes. Null when it needs none.</summary>
    internal Node? Node { get; set; }

    /// <summary>True when no other tensor shares the memory.</summary>
    internal bool IsExclusive => storage.IsExclusive;

    /// <summary>Another tensor over the same memory, which belongs to no scope and no recording.</summary>
    internal Tensor Share()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        storage.AddReference();
        return TensorScope.Detach(new Tensor(Device, Shape, Type, storage));
    }

    /// <summary>Takes the gradient out; it belongs to the caller.</summary>
    internal Tensor? TakeGradient()
    {
        var taken = Gradient;
        Gradient = null;
        return taken;
    }

    /// <summary>Adds to the gradient; the memory of <paramref name="part"/> is this tensor's from now on.</summary>
    internal void AddGradient(Tensor part)
    {
        if (disposed)
        {
            // Nobody could read it, and nobody would free it.
            part.Dispose();
            return;
        }
        if (Gradient is null)
        {
            // A gradient that shares its memory with another would be changed with it.
            Gradient = part.IsExclusive ? part : TensorScope.Detach(part.Affine(1, 0));
            if (!ReferenceEquals(Gradient, part)) part.Dispose();
            return;
        }
        Device.Backend.AddScaled(part.Floats, 1, Gradient.Floats);
        part.Dispose();
    }

    /// <summary>The scope that frees it, or null when the holder does.</summary>
    internal TensorScope? Owner { get; set; }

    /// <summary>Its elements as kernels take them.</summary>
    /// <exception cref="InvalidOperationException">The element type is another one.</exception>
    /// <exception cref="ObjectDisposedException">The tensor was freed.</exception>
    public View<T> View<T>() where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var asked = DTypes.Of<T>();
        if (asked != Type)
            throw new InvalidOperationException($"tensor {Shape} holds {Type}, not {asked}");
        return new View<T>(storage.Memory, 0, Count);
    }

    /// <summary>Its elements as floats.</summary>
    public View<float> Floats => View<float>();

    /// <summary>Its elements as ints.</summary>
    public View<int> Ints => View<int>();

    /// <summary>The same elements under another shape; both share the memory, which lives until the last of them is freed.</summary>
    /// <exception cref="ArgumentException">The number of elements differs.</exception>
    public Tensor Reshape(params ReadOnlySpan<int> axes) => Reshape(new Shape(axes));

    /// <inheritdoc cref="Reshape(ReadOnlySpan{int})"/>
    public Tensor Reshape(Shape shape)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (shape.Count != Count)
            throw new ArgumentException($"cannot reshape {Shape} ({Count} elements) to {shape} ({shape.Count})");
        storage.AddReference();
        var reshaped = new Tensor(Device, shape, Type, storage);
        if (Tape.Wants(this)) Tape.Record("Reshape", reshaped, [this], [], static (upstream, _, gradients) => gradients.Pass(0, upstream));
        return reshaped;
    }

    /// <summary>The result of a step on this tensor, which is then freed: for chains in which nobody else needs it, so that a deep network holds two activations and not all.</summary>
    public Tensor Into(Func<Tensor, Tensor> step)
    {
        var next = step(this);
        if (!ReferenceEquals(next, this)) Dispose();
        return next;
    }

    /// <summary>Copies the elements to the host.</summary>
    public T[] ToArray<T>() where T : unmanaged
    {
        var values = new T[Count];
        Device.Backend.Download(View<T>(), values);
        return values;
    }

    /// <summary>The elements of a float tensor on the host.</summary>
    public float[] ToFloats() => ToArray<float>();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        Owner?.Forget(this);
        ClearGradient();
        storage.Release();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Type} {Shape} on {Device.Name}";

    /// <summary>Device memory with the number of tensors that use it.</summary>
    private sealed class TensorStorage(DeviceMemory memory)
    {
        private int references = 1;

        public DeviceMemory Memory => memory;

        public bool IsExclusive => Volatile.Read(ref references) == 1;

        public void AddReference() => Interlocked.Increment(ref references);

        public void Release()
        {
            if (Interlocked.Decrement(ref references) == 0) memory.Dispose();
        }
    }
}
