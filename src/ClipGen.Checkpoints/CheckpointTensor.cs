namespace ClipGen.Checkpoints;

/// <summary>
/// A tensor of an open checkpoint. Its elements stay in the file until they are read; reads are thread-safe. Tensors that are views
/// (transposed, expanded, slices of a shared storage) are read in row-major order like any other.
/// </summary>
public sealed class CheckpointTensor
{
    private readonly TensorView view;

    internal CheckpointTensor(string name, TensorView view, bool isParameter, bool requiresGrad)
    {
        Name = name;
        this.view = view;
        IsParameter = isParameter;
        RequiresGrad = requiresGrad;
    }

    /// <summary>Dotted name; empty if the whole file is one tensor.</summary>
    public string Name { get; }

    /// <summary>Element type in the file.</summary>
    public ElementType Type => view.Type;

    /// <summary>Sizes; empty for a tensor of one element without axes.</summary>
    public IReadOnlyList<long> Shape => view.Shape;

    /// <summary>Product of the sizes.</summary>
    public long Count => view.Count;

    /// <summary>Distance of neighbours along each axis, in elements of the storage.</summary>
    public IReadOnlyList<long> Strides => view.Strides;

    /// <summary>Position of the first element in the storage.</summary>
    public long StorageOffset => view.Offset;

    /// <summary>Number of the storage, in order of first mention; tensors of the same number share elements.</summary>
    public int StorageIndex => view.Storage.Index;

    /// <summary>Whether row-major order is the order in the file.</summary>
    public bool IsContiguous => view.IsContiguous;

    /// <summary>Whether it was saved as an <c>nn.Parameter</c>.</summary>
    public bool IsParameter { get; }

    /// <summary>The flag of that name that PyTorch saves.</summary>
    public bool RequiresGrad { get; }

    /// <summary>Reads row-major elements from <paramref name="first"/> on, converted to float (integers and doubles are rounded, Booleans become 0 and 1).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has not that many elements.</exception>
    /// <exception cref="CheckpointException">The file can't be read any more, or a compressed entry is damaged.</exception>
    public void ReadFloats(long first, Span<float> destination) => view.ReadFloats(first, destination);

    /// <summary>Reads row-major elements from <paramref name="first"/> on, as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">The destination does not hold a whole number of elements.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has not that many elements.</exception>
    /// <exception cref="CheckpointException">The file can't be read any more, or a compressed entry is damaged.</exception>
    public void ReadBytes(long first, Span<byte> destination) => view.ReadBytes(first, destination);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Type.ToText()} [{string.Join(", ", Shape)}]";
}
