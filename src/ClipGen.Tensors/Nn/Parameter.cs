namespace ClipGen.Tensors.Nn;

/// <summary>How a tensor is laid out here, compared with the checkpoint.</summary>
public enum ParameterLayout
{
    /// <summary>The same.</summary>
    AsStored,

    /// <summary>Filters: [O, I, k, k] in the file, [O, k·k·I] here.</summary>
    Filter,

    /// <summary>A matrix that multiplies from the right: [K, N] in the file, [N, K] here.</summary>
    Transposed,
}

/// <summary>A named tensor of a model that is being trained: a parameter, or a buffer such as a running mean.</summary>
/// <param name="name">The checkpoint's name for it.</param>
/// <param name="shape">Its shape in the checkpoint.</param>
/// <param name="value">The tensor.</param>
/// <param name="layout">How the two differ.</param>
/// <param name="isBuffer">True for what the optimiser leaves alone.</param>
public sealed class Parameter(string name, int[] shape, Tensor value, ParameterLayout layout, bool isBuffer)
{
    /// <summary>The checkpoint's name for it.</summary>
    public string Name { get; } = name;

    /// <summary>Its shape in the checkpoint, PyTorch's.</summary>
    public IReadOnlyList<int> Shape { get; } = shape;

    /// <summary>The tensor, in the layout of this engine.</summary>
    public Tensor Value { get; } = value;

    /// <summary>How the two layouts differ.</summary>
    public ParameterLayout Layout { get; } = layout;

    /// <summary>True for a running mean or variance.</summary>
    public bool IsBuffer { get; } = isBuffer;

    /// <summary>Elements of this parameter's shape, such as its gradient or an optimiser's moment, in PyTorch's layout.</summary>
    public float[] ToStored(ReadOnlySpan<float> held)
    {
        var stored = new float[held.Length];
        Rearrange(held, stored, toStored: true);
        return stored;
    }

    /// <summary>The reverse: from PyTorch's layout to this engine's.</summary>
    public float[] FromStored(ReadOnlySpan<float> stored)
    {
        var held = new float[stored.Length];
        Rearrange(stored, held, toStored: false);
        return held;
    }

    /// <summary>The value in PyTorch's layout.</summary>
    public float[] ToStored() => ToStored(Value.ToFloats());

    /// <inheritdoc/>
    public override string ToString() => $"{Name} [{string.Join(", ", Shape)}]";

    // Both layouts are [a, b, c] against [a, c, b]: a filter's (O, I, taps) and (O, taps, I); a matrix's (1, K, N) and (1, N, K).
    private void Rearrange(ReadOnlySpan<float> from, Span<float> to, bool toStored)
    {
        var (outer, first, second) = Layout switch
        {
            ParameterLayout.Filter => (Shape[0], Shape[1], Shape[2] * Shape[3]),
            ParameterLayout.Transposed => (1, Shape[0], Shape[1]),
            _ => (0, 0, 0),
        };
        if (Layout == ParameterLayout.AsStored)
        {
            from.CopyTo(to);
            return;
        }
        for (var a = 0; a < outer; a++)
            for (var b = 0; b < first; b++)
                for (var c = 0; c < second; c++)
                {
                    int stored = (a * first + b) * second + c, held = (a * second + c) * first + b;
                    if (toStored) to[stored] = from[held];
                    else to[held] = from[stored];
                }
    }
}
