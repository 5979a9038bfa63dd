using System.Buffers.Binary;
using System.Text.Json;

namespace ClipGen.Checkpoints;

/// <summary>
/// safetensors: a 64-bit header length, a JSON header, raw tensors that cover the rest of the file without gaps or overlaps
/// (rules: huggingface/safetensors, README and safetensors/src/tensor.rs).
/// </summary>
internal static class SafetensorsReader
{
    public const int MaxHeaderBytes = 100_000_000;
    private const string MetadataKey = "__metadata__";

    /// <summary>The tensors and texts of a file.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="firstStorage">Number of its first tensor's storage, where others come before.</param>
    public static (CheckpointNode Root, List<KeyValuePair<string, string>> Metadata) Read(CheckpointFile file, int firstStorage = 0)
    {
        if (file.Length < 8) throw file.Refuse($"header too small: a safetensors file begins with 8 bytes of header length, this one has {file.Length}; get it again");
        Span<byte> prefix = stackalloc byte[8];
        file.Read(0, prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxHeaderBytes) throw file.Refuse($"header too large: {length:N0} bytes are claimed, {MaxHeaderBytes:N0} are allowed; this is no safetensors file");
        if (length < 2) throw file.Refuse($"header too small: {length} bytes are claimed, a JSON object takes 2");
        if ((long)length > file.Length - 8) throw file.Refuse($"invalid header length: {length:N0} bytes are claimed, {file.Length - 8:N0} follow; the file was truncated, get it again");
        var header = new byte[length];
        file.Read(8, header);
        if (header[0] != '{') throw file.Refuse("invalid header start: expected '{' at byte 8");
        if (!System.Text.Unicode.Utf8.IsValid(header)) throw file.Refuse("invalid header: it is not UTF-8; the file is damaged");
        var entries = new List<Entry>();
        var metadata = new List<KeyValuePair<string, string>>();
        try
        {
            ParseHeader(file, header, entries, metadata);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw file.Refuse($"invalid header: it is not the JSON of a safetensors file ({e.Message}); the file is damaged", e);
        }
        CheckLayout(file, entries, file.Length - 8 - (long)length);
        return (BuildTree(file, entries, 8 + (long)length, firstStorage), metadata);
    }

    private static void ParseHeader(CheckpointFile file, byte[] header, List<Entry> entries, List<KeyValuePair<string, string>> metadata)
    {
        var json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
        var names = new HashSet<string>();
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            if (!names.Add(name)) throw file.Refuse($"invalid header: '{name}' is there twice");
            json.Read();
            if (json.TokenType != JsonTokenType.StartObject) throw file.Refuse($"invalid header: '{name}' is not an object");
            if (name == MetadataKey) ParseMetadata(file, ref json, metadata);
            else entries.Add(ParseTensor(file, ref json, name));
        }
        while (json.Read())
        {
        }
    }

    private static void ParseMetadata(CheckpointFile file, ref Utf8JsonReader json, List<KeyValuePair<string, string>> metadata)
    {
        var keys = new HashSet<string>();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var key = json.GetString()!;
            if (!keys.Add(key)) throw file.Refuse($"invalid header: metadata '{key}' is there twice");
            json.Read();
            if (json.TokenType != JsonTokenType.String) throw file.Refuse($"invalid header: metadata '{key}' is not text");
            metadata.Add(new(key, json.GetString()!));
        }
    }

    private static Entry ParseTensor(CheckpointFile file, ref Utf8JsonReader json, string name)
    {
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var field = json.GetString();
            json.Read();
            switch (field)
            {
                case "dtype" when dtype is null && json.TokenType == JsonTokenType.String: dtype = json.GetString(); break;
                case "shape" when shape is null: shape = ParseIntegers(file, ref json, name, TensorView.MaxRank); break;
                case "data_offsets" when offsets is null: offsets = ParseIntegers(file, ref json, name, 2); break;
                default: throw file.Refuse($"invalid header: tensor '{name}' has an unknown, repeated or wrong field '{field}'");
            }
        }
        if (dtype is null || shape is null || offsets is not { Count: 2 }) throw file.Refuse($"invalid header: tensor '{name}' lacks dtype, shape or its two data_offsets");
        if (ElementTypeExtensions.Parse(dtype) is not { } type)
            throw file.Refuse($"tensor '{name}' is of type {dtype}; supported are {string.Join(", ", Enum.GetValues<ElementType>().Select(known => known.ToText()))}; convert it before saving");
        return new Entry(name, type, [.. shape], offsets[0], offsets[1]);
    }

    private static List<long> ParseIntegers(CheckpointFile file, ref Utf8JsonReader json, string name, int most)
    {
        if (json.TokenType != JsonTokenType.StartArray) throw file.Refuse($"invalid header: tensor '{name}' has something else where a list of numbers belongs");
        var values = new List<long>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out var value) || value < 0)
                throw file.Refuse($"invalid header: tensor '{name}' has a size or offset that is not a whole number of 63 bits");
            if (values.Count == most) throw file.Refuse($"invalid header: tensor '{name}' has a list of more than {most} numbers");
            values.Add(value);
        }
        return values;
    }

    private static void CheckLayout(CheckpointFile file, List<Entry> entries, long dataLength)
    {
        long end = 0;
        foreach (var entry in entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            if (entry.Begin != end || entry.End < entry.Begin)
                throw file.Refuse($"invalid offset: tensor '{entry.Name}' takes bytes {entry.Begin:N0} to {entry.End:N0}, expected a begin at {end:N0}; gaps and overlaps are not allowed");
            end = entry.End;
            UInt128 bytes = (ulong)entry.Type.ByteSize();
            foreach (var size in entry.Shape)
            {
                bytes *= (ulong)size;
                if (bytes > long.MaxValue) throw file.Refuse($"overflow: the sizes of tensor '{entry.Name}' multiply to more than 63 bits hold");
            }
            if (bytes != (ulong)(entry.End - entry.Begin))
                throw file.Refuse($"invalid info: tensor '{entry.Name}' takes {entry.End - entry.Begin:N0} bytes, its shape needs {bytes}");
        }
        if (end != dataLength) throw file.Refuse($"incomplete buffer: the header describes {end:N0} bytes of data, the file has {dataLength:N0}; it was truncated or damaged, get it again");
    }

    private static CheckpointNode BuildTree(CheckpointFile file, List<Entry> entries, long dataStart, int firstStorage)
    {
        var root = CheckpointNode.NewDict();
        foreach (var entry in entries)
        {
            var storage = new Storage(entry.Name, firstStorage + root.ChildCount) { Data = new FileBytes(file, dataStart + entry.Begin, entry.End - entry.Begin) };
            var capacity = (entry.End - entry.Begin) / entry.Type.ByteSize();
            var view = TensorView.Create(file, storage, entry.Type, capacity, 0, entry.Shape, TensorView.RowMajorStrides(entry.Shape), complaint => file.Refuse($"tensor '{entry.Name}': {complaint}"));
            root.Add(CheckpointNode.OfString(entry.Name), CheckpointNode.OfTensor(new UnnamedTensor(view, false, false)));
        }
        return root;
    }

    private sealed record Entry(string Name, ElementType Type, long[] Shape, long Begin, long End);
}
