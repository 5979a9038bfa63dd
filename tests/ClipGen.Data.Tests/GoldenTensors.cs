using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using ClipGen.Testing;

namespace ClipGen.Data.Tests;

/// <summary>Just enough of a safetensors reader for the golden files: header length, JSON header, little-endian data.</summary>
internal sealed class GoldenTensors
{
    private readonly byte[] file;
    private readonly int data;
    private readonly JsonElement header;

    public GoldenTensors(params string[] path)
    {
        file = File.ReadAllBytes(RepositoryPaths.GoldenFile(path));
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        header = JsonDocument.Parse(file.AsMemory(8, length)).RootElement;
        data = 8 + length;
    }

    public bool Has(string name) => header.TryGetProperty(name, out _);

    public int[] Shape(string name) => [.. header.GetProperty(name).GetProperty("shape").EnumerateArray().Select(d => d.GetInt32())];

    public byte[] Bytes(string name) => [.. Raw(name, "U8")];

    public float[] Floats(string name) => [.. MemoryMarshal.Cast<byte, float>(Raw(name, "F32"))];

    public long[] Longs(string name) => [.. MemoryMarshal.Cast<byte, long>(Raw(name, "I64"))];

    /// <summary>A tensor [H, W, 3] of bytes as a picture.</summary>
    public Picture Picture(string name)
    {
        var shape = Shape(name);
        Assert.Equal(3, shape.Length);
        Assert.Equal(3, shape[2]);
        return new Picture(shape[1], shape[0], Bytes(name));
    }

    /// <summary>Channels-first values [3, H, W] as [H, W, 3].</summary>
    public static T[] ToHwc<T>(ReadOnlySpan<T> chw)
    {
        var plane = chw.Length / 3;
        var result = new T[chw.Length];
        for (var i = 0; i < chw.Length; i++) result[i % plane * 3 + i / plane] = chw[i];
        return result;
    }

    private Span<byte> Raw(string name, string type)
    {
        var entry = header.GetProperty(name);
        Assert.Equal(type, entry.GetProperty("dtype").GetString());
        var offsets = entry.GetProperty("data_offsets");
        return file.AsSpan((data + offsets[0].GetInt32())..(data + offsets[1].GetInt32()));
    }
}
