using System.Buffers.Binary;
using System.Text;

namespace ClipGen.Checkpoints.Tests;

/// <summary>The rules of safetensors headers, one error kind after the other.</summary>
public class SafetensorsTests
{
    [Fact]
    public void A_minimal_file_is_read()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("a.bin", File("""{"b":{"dtype":"F32","shape":[1,2],"data_offsets":[1,9]},"a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]},"e":{"dtype":"I64","shape":[4,0],"data_offsets":[9,9]},"__metadata__":{"k":"v"}}   """, 9)));
        Assert.Equal(CheckpointFormat.Safetensors, checkpoint.Format);
        Assert.Equal(["b", "a", "e"], checkpoint.Tensors.Select(tensor => tensor.Name));
        Assert.Equal([1L, 2L], checkpoint.Find("b")!.Shape);
        var values = new float[2];
        checkpoint.Find("b")!.ReadFloats(0, values);
        Assert.Equal(BitConverter.ToSingle([2, 3, 4, 5]), values[0]);
        Assert.Equal("v", Assert.Single(checkpoint.Values).Value);
        Assert.True(checkpoint.Values.ContainsKey("__metadata__.k"));
    }

    [Fact]
    public void An_empty_dict_is_read()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("a.safetensors", File("{}", 0)));
        Assert.Empty(checkpoint.Tensors);
    }

    [Theory]
    [InlineData("header too large", """{"a":{}}""", 0, 100_000_001)]
    [InlineData("invalid header length", """{"a":{}}""", 0, 1000)]
    [InlineData("not the JSON", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}""", 1, 0)]
    [InlineData("not the JSON", """{"a":1""", 0, 6)]
    [InlineData("not an object", """{"a":1}""", 0, 0)]
    [InlineData("not the JSON", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}} x""", 1, 0)]
    [InlineData("not the JSON", """{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("there twice", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, 0)]
    [InlineData("there twice", """{"__metadata__":{"a":"x","a":"y"}}""", 0, 0)]
    [InlineData("there twice", """{"__metadata__":{"a":"x"},"__metadata__":{"b":"y"}}""", 0, 0)]
    [InlineData("not text", """{"__metadata__":{"a":1}}""", 0, 0)]
    [InlineData("of type F8_E4M3", """{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("of type u8", """{"a":{"dtype":"u8","shape":[1],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("lacks", """{"a":{"dtype":"U8","shape":[1]}}""", 0, 0)]
    [InlineData("lacks", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}""", 0, 0)]
    [InlineData("more than 2 numbers", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}""", 1, 0)]
    [InlineData("unknown, repeated", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"extra":1}}""", 1, 0)]
    [InlineData("unknown, repeated", """{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("whole number", """{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("whole number", """{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("whole number", """{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("overflow", """{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}""", 1, 0)]
    [InlineData("overflow", """{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}""", 0, 0)]
    [InlineData("invalid info", """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, 0)]
    [InlineData("invalid offset", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, 0)]
    [InlineData("invalid offset", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""", 3, 0)]
    [InlineData("invalid offset", """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}""", 3, 0)]
    [InlineData("invalid offset", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}""", 1, 0)]
    [InlineData("incomplete buffer", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 3, 0)]
    [InlineData("incomplete buffer", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 5, 0)]
    public void A_wrong_header_is_refused(string reason, string header, int dataBytes, int claimedLength)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.safetensors", File(header, dataBytes, claimedLength));
        Assert.Contains(reason, Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_header_that_is_not_text_is_refused()
    {
        using var folder = new TemporaryFolder();
        var bytes = File("""{"a?":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1);
        bytes[Array.IndexOf(bytes, (byte)'?')] = 0xFF;
        var path = folder.Write("a.safetensors", bytes);
        Assert.Contains("not UTF-8", Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose()).Message, StringComparison.Ordinal);
    }

    private static byte[] File(string header, int dataBytes, int claimedLength = 0)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + text.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, claimedLength == 0 ? text.Length : claimedLength);
        text.CopyTo(bytes, 8);
        for (var i = 0; i < dataBytes; i++) bytes[8 + text.Length + i] = (byte)(i + 1);
        return bytes;
    }
}
