using System.Text.Json;
using ClipGen.Checkpoints;

namespace ClipGen.Models;

/// <summary>
/// What ClipGen writes into its checkpoints beside the weights, under <c>clipgen</c>: the configuration as JSON, whose <c>model</c> part has the sizes that no tensor's shape tells, and
/// the vocabulary of a model that is not trained with CLIP's.
/// </summary>
public static class ModelConfiguration
{
    /// <summary>Key of the configuration.</summary>
    public const string Key = "clipgen.configuration";

    /// <summary>Key of the vocabulary.</summary>
    public const string VocabularyKey = "clipgen.vocabulary";

    /// <summary>A text of a checkpoint, wherever its format keeps it, or null.</summary>
    public static string? TextOf(Checkpoint checkpoint, string key) =>
        (checkpoint.Values.GetValueOrDefault(key) ?? checkpoint.Values.GetValueOrDefault($"__metadata__.{key}")) as string;

    /// <summary>The whole numbers of the configuration's <c>model</c> part; none when there is no configuration.</summary>
    /// <exception cref="CheckpointException">The configuration is not what ClipGen writes.</exception>
    public static IReadOnlyDictionary<string, int> Options(Checkpoint checkpoint)
    {
        Dictionary<string, int> options = [];
        if (TextOf(checkpoint, Key) is not { } text) return options;
        try
        {
            using var json = JsonDocument.Parse(text);
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("model", out var model)) return options;
            foreach (var entry in model.EnumerateObject())
                if (entry.Value.ValueKind == JsonValueKind.Number && entry.Value.TryGetInt32(out var value)) options[entry.Name] = value;
            return options;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(checkpoint.Path, $"'{Key}' is not the JSON that ClipGen writes: {e.Message}");
        }
    }
}
