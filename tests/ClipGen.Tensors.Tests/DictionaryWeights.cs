using ClipGen.Tensors.Nn;

namespace ClipGen.Tensors.Tests;

/// <summary>Weights in host arrays.</summary>
internal sealed class DictionaryWeights : IWeightSource
{
    private readonly Dictionary<string, (long[] Shape, float[] Values)> weights = [];
    private readonly Dictionary<string, int> options = [];

    public string Name => "model.pt";

    public IReadOnlyCollection<string> Names => weights.Keys;

    /// <summary>A name whose reading fails.</summary>
    public string? Broken { get; init; }

    public DictionaryWeights Add(string name, long[] shape, float[] values)
    {
        weights.Add(name, (shape, values));
        return this;
    }

    /// <summary>States a size that no shape tells.</summary>
    public DictionaryWeights State(string option, int value)
    {
        options.Add(option, value);
        return this;
    }

    public int? Option(string name) => options.TryGetValue(name, out var value) ? value : null;

    public long[]? ShapeOf(string name) => weights.TryGetValue(name, out var weight) ? weight.Shape : null;

    public void ReadFloats(string name, long first, Span<float> destination)
    {
        if (name == Broken) throw new IOException($"{name}: the disk is gone");
        weights[name].Values.AsSpan(checked((int)first), destination.Length).CopyTo(destination);
    }
}
