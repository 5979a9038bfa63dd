namespace ClipGen.Tensors;

/// <summary>Sizes of a tensor's axes, outermost first. Immutable; prints as <c>[2, 16, 16, 256]</c>.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int[]? axes;

    /// <summary>A shape of the given axes; none for a single value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An axis is negative.</exception>
    public Shape(params ReadOnlySpan<int> axes)
    {
        foreach (var axis in axes) ArgumentOutOfRangeException.ThrowIfNegative(axis);
        this.axes = axes.ToArray();
    }

    /// <summary>Number of axes.</summary>
    public int Rank => axes?.Length ?? 0;

    /// <summary>Size of an axis; from the end with <c>^1</c>.</summary>
    public int this[Index index] => Axes[index.GetOffset(Rank)];

    /// <summary>All axes.</summary>
    public ReadOnlySpan<int> Axes => axes;

    /// <summary>Product of the axes.</summary>
    /// <exception cref="OverflowException">It does not fit 63 bits.</exception>
    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var axis in Axes) count = checked(count * axis);
            return count;
        }
    }

    /// <summary>Product of all axes but the last: how many rows of <c>shape[^1]</c> there are.</summary>
    public int Rows => Rank == 0 ? 1 : Axes[..^1].Length == 0 ? 1 : checked((int)(new Shape(Axes[..^1]).Count));

    /// <summary>The same shape with another last axis.</summary>
    public Shape WithLast(int size)
    {
        var copy = Axes.ToArray();
        copy[^1] = size;
        return new Shape(copy);
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) => Axes.SequenceEqual(other.Axes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var axis in Axes) hash.Add(axis);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", Axes.ToArray())}]";

    /// <summary>Equal axes.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Different axes.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);
}
