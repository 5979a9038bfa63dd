using ClipGen.Checkpoints;
using ClipGen.Tensors.Nn;

namespace ClipGen.Models;

/// <summary>
/// A checkpoint file as a model's weights. A file may hold a bare state dict, or one under <c>model</c> or <c>state_dict</c> beside optimiser state and
/// scalars, as trainers save it, under the reference's names or another project's (<see cref="INameMap"/>). Dispose it when the model is loaded.
/// </summary>
public sealed class CheckpointWeights : IWeightSource, IDisposable
{
    private static readonly string[] Prefixes = ["model.", "state_dict."];

    private readonly Checkpoint checkpoint;
    private readonly Dictionary<string, WeightTensor> tensors;
    private readonly IReadOnlyDictionary<string, int> options;

    private CheckpointWeights(Checkpoint checkpoint)
    {
        this.checkpoint = checkpoint;
        (tensors, options) = Model(checkpoint);
    }

    /// <inheritdoc/>
    public string Name => checkpoint.Path;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => tensors.Keys;

    /// <summary>Opens a file and checks that it holds the expected kind of model.</summary>
    /// <exception cref="CheckpointException">The file can't be read.</exception>
    /// <exception cref="WeightException">It holds something else.</exception>
    public static CheckpointWeights Open(string path, ModelKind expected)
    {
        var weights = new CheckpointWeights(Checkpoint.Open(path));
        var found = ModelKinds.Recognise(weights.Names);
        if (found == expected) return weights;
        weights.Dispose();
        throw new WeightException($"{path}: expected {expected.Describe()}, found {(found is { } kind ? kind.Describe() : "tensors of no model that is known here")}; `clipgen inspect` lists what is in a file");
    }

    /// <summary>The kind of model in an open file, or null.</summary>
    public static ModelKind? Recognise(Checkpoint checkpoint) => ModelKinds.Recognise(Model(checkpoint).Tensors.Keys);

    /// <inheritdoc/>
    public long[]? ShapeOf(string name) => tensors.TryGetValue(name, out var tensor) ? [.. tensor.Shape] : null;

    /// <inheritdoc/>
    public int? Option(string name) => options.TryGetValue(name, out var value) ? value : null;

    /// <inheritdoc/>
    public void ReadFloats(string name, long first, Span<float> destination) => tensors[name].ReadFloats(first, destination);

    /// <inheritdoc/>
    public void Dispose() => checkpoint.Dispose();

    /// <summary>The model's tensors under the names that they have here, and the sizes that no shape tells.</summary>
    private static (Dictionary<string, WeightTensor> Tensors, IReadOnlyDictionary<string, int> Options) Model(Checkpoint checkpoint)
    {
        var prefix = Array.Find(Prefixes, prefix => checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal))) ?? "";
        var bare = checkpoint.Tensors.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(tensor => tensor.Name[prefix.Length..]);
        if (NameMaps.Of(bare.Keys) is not { } map) return (bare.ToDictionary(entry => entry.Key, entry => WeightTensor.Of(entry.Value)), ModelConfiguration.Options(checkpoint));
        return (map.Map(bare).ToDictionary(entry => entry.Name, entry => entry.Tensor), map.Options);
    }
}
