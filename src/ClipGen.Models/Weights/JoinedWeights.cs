using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>The weights of one source, and of another what it lacks.</summary>
/// <param name="first">Whose weights, name and options count.</param>
/// <param name="second">The rest.</param>
public sealed class JoinedWeights(IWeightSource first, IWeightSource second) : IWeightSource
{
    /// <inheritdoc/>
    public string Name => first.Name;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names { get; } = [.. first.Names.Union(second.Names)];

    /// <inheritdoc/>
    public long[]? ShapeOf(string name) => first.ShapeOf(name) ?? second.ShapeOf(name);

    /// <inheritdoc/>
    public int? Option(string name) => first.Option(name) ?? second.Option(name);

    /// <inheritdoc/>
    public void ReadFloats(string name, long from, Span<float> destination) => (first.ShapeOf(name) is null ? second : first).ReadFloats(name, from, destination);
}
