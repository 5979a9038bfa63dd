using ClipGen.Tensors.Nn;
using ClipGen.Testing;

namespace ClipGen.Tensors.Tests;

/// <summary>Golden tensors as a source of weights, so that they take the loader's way.</summary>
internal sealed class GoldenWeights(IReadOnlyDictionary<string, GoldenTensor> tensors) : IWeightSource
{
    public string Name => "golden";

    public IReadOnlyCollection<string> Names => [.. tensors.Keys];

    public long[]? ShapeOf(string name) => tensors.TryGetValue(name, out var tensor) ? tensor.Shape : null;

    public void ReadFloats(string name, long first, Span<float> destination) => tensors[name].Floats.AsSpan(checked((int)first), destination.Length).CopyTo(destination);
}
