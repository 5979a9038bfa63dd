using ClipGen.Checkpoints;

namespace ClipGen.Models;

/// <summary>Another project's names for a model whose architecture is known here: one class per project.</summary>
internal interface INameMap
{
    /// <summary>Whether these are its names.</summary>
    bool Recognises(IReadOnlyCollection<string> names);

    /// <summary>The model's tensors under the names, and in the shapes, that they have here. What a tensor is made of must all be there; what is not is left out, and reported when the model is loaded.</summary>
    IEnumerable<(string Name, WeightTensor Tensor)> Map(IReadOnlyDictionary<string, CheckpointTensor> tensors);

    /// <summary>Sizes that no tensor's shape tells, where they differ from those customary here.</summary>
    IReadOnlyDictionary<string, int> Options => new Dictionary<string, int>();
}
