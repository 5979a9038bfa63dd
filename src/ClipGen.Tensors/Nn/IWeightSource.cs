namespace ClipGen.Tensors.Nn;

/// <summary>Named weights that can be read piece by piece: a checkpoint, or a rule that computes them.</summary>
public interface IWeightSource
{
    /// <summary>What to call it in messages: the file's name.</summary>
    string Name { get; }

    /// <summary>Names of all its tensors.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Shape of a tensor in PyTorch's layout, or null when there is none of that name.</summary>
    long[]? ShapeOf(string name);

    /// <summary>A size that no tensor's shape tells (heads, groups), where the source states it; null for the customary one.</summary>
    int? Option(string name) => null;

    /// <summary>Reads row-major elements <paramref name="first"/>… as floats. May be called from several threads.</summary>
    void ReadFloats(string name, long first, Span<float> destination);
}
