using System.Text.Json;

namespace ClipGen.Checkpoints;

/// <summary>
/// The index of a model in several safetensors files, as Hugging Face's tools write it (<c>model.safetensors.index.json</c>): <c>{"weight_map": {tensor: file}}</c>, the files beside the index.
/// </summary>
internal static class SafetensorsIndex
{
    private const int MaxBytes = 32 << 20;
    private const int MaxFiles = 1000;
    private const string MapKey = "weight_map";

    /// <summary>Reads the index and the files that it names; null if the file is no index.</summary>
    /// <param name="index">The open file.</param>
    /// <param name="shards">Receives the files, to be closed by the caller, whatever happens.</param>
    public static CheckpointNode? Read(CheckpointFile index, List<CheckpointFile> shards)
    {
        if (Map(index) is not { } map) return null;
        var folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(index.Path))!;
        var root = CheckpointNode.NewDict();
        foreach (var file in map.Values.Distinct())
        {
            // A name from a file must not lead out of its folder.
            if (file.Length is 0 or > 255 || file[0] == '.' || file.AsSpan().ContainsAny("/\\:\0")) throw index.Refuse($"names the file '{file}', which is no plain file name");
            if (shards.Count == MaxFiles) throw index.Refuse($"names more than {MaxFiles} files");
            var shard = CheckpointFile.Open(System.IO.Path.Combine(folder, file));
            shards.Add(shard);
            if (FileKind.Recognize(shard) != CheckpointFormat.Safetensors) throw shard.Refuse($"is not a safetensors file, as which {index.Path} names it");
            var (content, _) = SafetensorsReader.Read(shard, root.ChildCount);
            foreach (var (key, tensor) in content.Entries)
                if (map.TryGetValue(key.String, out var place) && place == file)
                    root.Add(key, tensor);
        }
        foreach (var (name, file) in map)
            if (root[name] is null) throw index.Refuse($"says that tensor '{name}' is in {file}, where it is not; get the files again");
        return root;
    }

    private static Dictionary<string, string>? Map(CheckpointFile file)
    {
        Span<byte> first = stackalloc byte[1];
        if (file.Length is < 2 or > MaxBytes) return null;
        file.Read(0, first);
        // Of safetensors the first bytes are a length; a text that begins so is JSON.
        if (first[0] != (byte)'{') return null;
        var bytes = new byte[file.Length];
        file.Read(0, bytes);
        var map = new Dictionary<string, string>();
        try
        {
            var json = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = 16 });
            json.Read();
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                var isMap = json.ValueTextEquals(MapKey);
                json.Read();
                if (!isMap || json.TokenType != JsonTokenType.StartObject)
                {
                    json.Skip();
                    continue;
                }
                while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
                {
                    var name = json.GetString()!;
                    json.Read();
                    if (json.TokenType != JsonTokenType.String) throw file.Refuse($"the index names no file for tensor '{name}'");
                    if (!map.TryAdd(name, json.GetString()!)) throw file.Refuse($"the index names tensor '{name}' twice");
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
        return map.Count > 0 ? map : null;
    }
}
