using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ClipGen.Checkpoints;

/// <summary>
/// Objects of a <c>.pt</c> file inside a safetensors file, which knows only named tensors and texts. Tensors keep their dotted names; every other leaf becomes a text of its dotted
/// name; one more text describes the tree, so that it can be built again exactly: lists and tuples, integer keys, numbers that are not text, empty containers.
/// </summary>
/// <remarks>
/// The description is JSON: <c>{"dict": [[key, node], ...]}</c>, <c>ordered</c>, <c>list</c>, <c>tuple</c>, <c>set</c>, or the name of a leaf's kind:
/// <c>"tensor"</c>, <c>"int"</c>, <c>"float"</c>, <c>"bool"</c>, <c>"string"</c>, <c>"bytes"</c> (base64), <c>"none"</c>. A key is a text, an integer, true, false,
/// null, <c>{"int": text}</c> or <c>{"float": text}</c> for numbers that JSON does not keep, or <c>{"tuple": [key, ...]}</c>.
/// </remarks>
public static class TreeDescription
{
    /// <summary>Metadata key of the description.</summary>
    public const string Key = "clipgen.tree";

    private const int MaxDepth = 200;

    /// <summary>Digits of the longest integer that a pickle is written with: 255 bytes.</summary>
    private const int LongestInteger = 614;

    /// <summary>Texts for the metadata of a safetensors file that holds the checkpoint's tensors under their names: the other leaves, and the description.</summary>
    /// <exception cref="CheckpointException">A dict has a key that is neither a scalar nor a short tuple of scalars.</exception>
    public static Dictionary<string, string> Metadata(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var metadata = checkpoint.Values.ToDictionary(entry => entry.Key, entry => Text(entry.Value));
        metadata[Key] = Describe(checkpoint.Path, checkpoint.Root).ToJsonString();
        return metadata;
    }

    /// <summary>The tree that a safetensors file describes, or null if it describes none.</summary>
    /// <param name="checkpoint">An open safetensors file, which must stay open until the tree is written.</param>
    /// <param name="tensor">Makes a tensor's source.</param>
    /// <exception cref="CheckpointException">The description is damaged, or does not fit the file's tensors and texts.</exception>
    public static PyTorchValue? Rebuild(Checkpoint checkpoint, Func<CheckpointTensor, TensorSource> tensor)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (Stored(checkpoint, Key) is not { } description) return null;
        try
        {
            using var json = JsonDocument.Parse(description, new JsonDocumentOptions { MaxDepth = 4 * MaxDepth });
            HashSet<string> used = [];
            var tree = new Builder(checkpoint, tensor, used).Build(json.RootElement, "", 0);
            var forgotten = checkpoint.Tensors.FirstOrDefault(entry => !used.Contains(entry.Name));
            return forgotten is null ? tree : throw Damaged(checkpoint, $"it leaves out tensor '{forgotten.Name}'");
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or OverflowException or KeyNotFoundException)
        {
            throw Damaged(checkpoint, e.Message);
        }
    }

    private static string? Stored(Checkpoint checkpoint, string name) => checkpoint.Values.GetValueOrDefault($"__metadata__.{name}") as string;

    private static CheckpointException Damaged(Checkpoint checkpoint, string reason) =>
        new(checkpoint.Path, $"metadata '{Key}' does not describe this file ({reason}); the file was changed after it was converted, convert it anew");

    private static JsonNode Describe(string path, CheckpointNode node)
    {
        JsonArray Items() => [.. node.Items.Select(item => Describe(path, item))];
        switch (node.Kind)
        {
            case NodeKind.Dict:
                JsonArray entries = [.. node.Entries.Select(entry => (JsonNode)new JsonArray(KeyOf(path, entry.Key), Describe(path, entry.Value)))];
                return new JsonObject { [node.ClassName == "collections.OrderedDict" ? "ordered" : "dict"] = entries };
            case NodeKind.List or NodeKind.Tuple or NodeKind.Set:
                return new JsonObject { [node.Kind.ToString().ToLowerInvariant()] = Items() };
            default:
                return node.Kind.ToString().ToLowerInvariant();
        }
    }

    private static JsonNode? KeyOf(string path, CheckpointNode key) => key.Kind switch
    {
        NodeKind.String => key.String,
        NodeKind.Int when key.Int >= long.MinValue && key.Int <= long.MaxValue => (long)key.Int,
        NodeKind.Int or NodeKind.Float => new JsonObject { [key.Kind.ToString().ToLowerInvariant()] = key.KeyText },
        NodeKind.Bool => key.Bool,
        NodeKind.None => null,
        NodeKind.Tuple when key.Items.Count <= CheckpointNode.LongestTupleKey && key.Items.All(item => !item.IsContainer && item.KeyText.Length <= CheckpointNode.LongestTupleKeyPart) =>
            new JsonObject { ["tuple"] = new JsonArray([.. key.Items.Select(item => KeyOf(path, item))]) },
        _ => throw new CheckpointException(path, $"has the key {key.KeyText} of kind {key.Kind} in a dict; keys that are scalars or short tuples of them can be converted, rename it before saving"),
    };

    /// <summary>The number of that text.</summary>
    private static BigInteger Integer(string text) => text.Length <= LongestInteger ? BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) : throw new FormatException($"an integer of {text.Length} digits");

    private static double Number(string text) => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string Text(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        BigInteger integer => integer.ToString(CultureInfo.InvariantCulture),
        byte[] bytes => Convert.ToBase64String(bytes),
        _ => (string)value,
    };

    private sealed class Builder(Checkpoint checkpoint, Func<CheckpointTensor, TensorSource> tensor, HashSet<string> used)
    {
        public PyTorchValue Build(JsonElement node, string name, int depth)
        {
            if (depth > MaxDepth) throw new FormatException($"it is nested deeper than {MaxDepth} levels");
            if (node.ValueKind == JsonValueKind.String) return Leaf(node.GetString()!, name);
            if (node.EnumerateObject().ToArray() is not [var container]) throw new FormatException($"'{name}' is no container");
            PyTorchValue[] Items() => [.. container.Value.EnumerateArray().Select((item, i) => Build(item, Joined(name, i.ToString(CultureInfo.InvariantCulture)), depth + 1))];
            return container.Name switch
            {
                "dict" or "ordered" => PyTorchValue.Container(NodeKind.Dict, container.Value.EnumerateArray().Select(entry => Entry(entry, name, depth)).ToArray(), container.Name == "ordered"),
                "list" => PyTorchValue.Container(NodeKind.List, Items()),
                "tuple" => PyTorchValue.Container(NodeKind.Tuple, Items()),
                "set" => PyTorchValue.Container(NodeKind.Set, Items()),
                _ => throw new FormatException($"'{name}' is a '{container.Name}'"),
            };
        }

        private (PyTorchValue, PyTorchValue) Entry(JsonElement entry, string name, int depth)
        {
            if (entry.GetArrayLength() != 2) throw new FormatException($"an entry of '{name}' is no pair");
            var (key, text) = Key(entry[0]);
            return (key, Build(entry[1], Joined(name, text), depth + 1));
        }

        /// <summary>A key, and its text in dotted names.</summary>
        private static (PyTorchValue Key, string Text) Key(JsonElement key) => key.ValueKind switch
        {
            JsonValueKind.Number => (key.GetInt64(), key.GetInt64().ToString(CultureInfo.InvariantCulture)),
            JsonValueKind.True => (true, "True"),
            JsonValueKind.False => (false, "False"),
            JsonValueKind.Null => (PyTorchValue.None, "None"),
            JsonValueKind.Object when key.TryGetProperty("int", out var integer) => (Integer(integer.GetString()!), integer.GetString()!),
            JsonValueKind.Object when key.TryGetProperty("tuple", out var members) => Tuple([.. members.EnumerateArray().Select(Key)]),
            JsonValueKind.Object => (Number(key.GetProperty("float").GetString()!), key.GetProperty("float").GetString()!),
            _ => (key.GetString()!, key.GetString()!),
        };

        private static (PyTorchValue Key, string Text) Tuple((PyTorchValue Key, string Text)[] members) =>
            (PyTorchValue.Tuple(members.Select(member => member.Key)), $"({string.Join(", ", members.Select(member => member.Text))})");

        private PyTorchValue Leaf(string kind, string name)
        {
            if (kind == "tensor")
            {
                used.Add(name);
                return PyTorchValue.Tensor(tensor(checkpoint.Find(name) ?? throw new FormatException($"there is no tensor '{name}'")));
            }
            var text = Stored(checkpoint, name) ?? throw new FormatException($"there is no value '{name}'");
            return kind switch
            {
                "none" => PyTorchValue.None,
                "bool" when text is "True" or "False" => text == "True",
                "int" => Integer(text),
                "float" => Number(text),
                "string" => text,
                "bytes" => PyTorchValue.Scalar(NodeKind.Bytes, Convert.FromBase64String(text)),
                _ => throw new FormatException($"'{name}' is '{kind}'"),
            };
        }

        private static string Joined(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";
    }
}
