using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using ClipGen.Files;

namespace ClipGen.Checkpoints;

/// <summary>Writes safetensors files: larger element types first, then by name; data begins at a multiple of 8 bytes (huggingface/safetensors, tensor.rs).</summary>
public static class SafetensorsWriter
{
    // The order of the reference implementation, so that equal content gives equal bytes.
    private static readonly ElementType[] Order =
    [
        ElementType.I64, ElementType.F64, ElementType.F32, ElementType.I32, ElementType.BF16,
        ElementType.F16, ElementType.I16, ElementType.I8, ElementType.U8, ElementType.Bool,
    ];

    /// <summary>Writes tensors and text metadata, in pieces; an existing file is replaced in one step at the end.</summary>
    /// <exception cref="ArgumentException">Two tensors have the same name, a name is reserved, or a shape is impossible.</exception>
    /// <exception cref="CheckpointException">The place can't be written, or the header would be larger than the format allows.</exception>
    public static void Write(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var names = new HashSet<string>();
        foreach (var tensor in tensors)
        {
            tensor.Check();
            if (tensor.Name == "__metadata__") throw new ArgumentException("'__metadata__' is reserved; rename the tensor", nameof(tensors));
            if (!names.Add(tensor.Name)) throw new ArgumentException($"two tensors are called '{tensor.Name}'", nameof(tensors));
        }
        var ordered = tensors.OrderBy(tensor => Array.IndexOf(Order, tensor.Type)).ThenBy(tensor => tensor.Name, StringComparer.Ordinal).ToList();
        var header = MakeHeader(ordered, metadata);
        if (header.Length > SafetensorsReader.MaxHeaderBytes) throw new CheckpointException(path, $"can't be written: its header would take {header.Length:N0} bytes, {SafetensorsReader.MaxHeaderBytes:N0} are allowed");
        AtomicFile.Write(path, stream =>
        {
            Span<byte> prefix = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
            stream.Write(prefix);
            stream.Write(header);
            foreach (var tensor in ordered) tensor.ForPieces(stream.Write);
        }, (reason, cause) => new CheckpointException(path, $"can't be written: {reason}", cause));
    }

    private static byte[] MakeHeader(List<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long begin = 0;
            foreach (var tensor in tensors)
            {
                var end = checked(begin + tensor.ByteLength);
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.ToText());
                json.WriteStartArray("shape");
                foreach (var size in tensor.Shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(begin);
                json.WriteNumberValue(end);
                json.WriteEndArray();
                json.WriteEndObject();
                begin = end;
            }
            json.WriteEndObject();
        }
        var header = new byte[(buffer.WrittenCount + 7) / 8 * 8];
        header.AsSpan().Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(header);
        return header;
    }
}
