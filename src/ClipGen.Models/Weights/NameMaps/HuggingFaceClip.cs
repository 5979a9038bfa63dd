using System.Text.RegularExpressions;
using ClipGen.Checkpoints;

namespace ClipGen.Models;

/// <summary>
/// CLIP as <c>transformers</c> (Hugging Face) names it, <c>CLIPModel</c>: query, key and value of an attention apart, projections the other way round. The activation stands in no tensor: it is taken to be OpenAI's x σ(1.702 x).
/// </summary>
internal sealed partial class HuggingFaceClip : INameMap
{
    private static readonly Dictionary<string, string> Names = new()
    {
        ["logit_scale"] = "logit_scale",
        ["text_model.embeddings.token_embedding.weight"] = "token_embedding.weight",
        ["text_model.embeddings.position_embedding.weight"] = "positional_embedding",
        ["text_model.final_layer_norm.weight"] = "ln_final.weight",
        ["text_model.final_layer_norm.bias"] = "ln_final.bias",
        ["vision_model.embeddings.class_embedding"] = "visual.class_embedding",
        ["vision_model.embeddings.patch_embedding.weight"] = "visual.conv1.weight",
        ["vision_model.embeddings.position_embedding.weight"] = "visual.positional_embedding",
        // Spelled so in the original.
        ["vision_model.pre_layrnorm.weight"] = "visual.ln_pre.weight",
        ["vision_model.pre_layrnorm.bias"] = "visual.ln_pre.bias",
        ["vision_model.post_layernorm.weight"] = "visual.ln_post.weight",
        ["vision_model.post_layernorm.bias"] = "visual.ln_post.bias",
    };

    private static readonly Dictionary<string, string> Parts = new()
    {
        ["self_attn.out_proj"] = "attn.out_proj",
        ["layer_norm1"] = "ln_1",
        ["layer_norm2"] = "ln_2",
        ["mlp.fc1"] = "mlp.c_fc",
        ["mlp.fc2"] = "mlp.c_proj",
    };

    public bool Recognises(IReadOnlyCollection<string> names) =>
        names.Any(name => name.StartsWith("text_model.encoder.layers.", StringComparison.Ordinal)) && names.Any(name => name.StartsWith("vision_model.encoder.layers.", StringComparison.Ordinal));

    public IEnumerable<(string Name, WeightTensor Tensor)> Map(IReadOnlyDictionary<string, CheckpointTensor> tensors)
    {
        foreach (var (name, tensor) in tensors)
        {
            if (Names.TryGetValue(name, out var known)) yield return (known, WeightTensor.Of(tensor));
            else if (name == "text_projection.weight") yield return ("text_projection", WeightTensor.Transposed(tensor));
            else if (name == "visual_projection.weight") yield return ("visual.proj", WeightTensor.Transposed(tensor));
            else if (Layer().Match(name) is { Success: true } layer)
            {
                var (tower, number, part, kind) = (layer.Groups["tower"].Value, layer.Groups["number"].Value, layer.Groups["part"].Value, layer.Groups["kind"].Value);
                var block = $"{(tower == "vision" ? "visual." : "")}transformer.resblocks.{number}";
                if (Parts.TryGetValue(part, out var renamed)) yield return ($"{block}.{renamed}.{kind}", WeightTensor.Of(tensor));
                else if (part == "self_attn.q_proj" && Others(tensors, name) is { } others) yield return ($"{block}.attn.in_proj_{kind}", WeightTensor.Stacked([tensor, .. others], tensor.Shape.Count));
            }
        }
    }

    private static CheckpointTensor[]? Others(IReadOnlyDictionary<string, CheckpointTensor> tensors, string query) =>
        tensors.TryGetValue(query.Replace(".q_proj.", ".k_proj.", StringComparison.Ordinal), out var key) && tensors.TryGetValue(query.Replace(".q_proj.", ".v_proj.", StringComparison.Ordinal), out var value) ? [key, value] : null;

    [GeneratedRegex(@"^(?<tower>text|vision)_model\.encoder\.layers\.(?<number>\d+)\.(?<part>.+)\.(?<kind>weight|bias)$")]
    private static partial Regex Layer();
}
