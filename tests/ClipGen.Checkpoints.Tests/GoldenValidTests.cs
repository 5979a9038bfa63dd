using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using ClipGen.Testing;

namespace ClipGen.Checkpoints.Tests;

/// <summary>Every file of <c>valid.json</c> holds the object tree that PyTorch saved: types, values, views, shared storages, bytes.</summary>
public class GoldenValidTests
{
    private static readonly JsonDocument Expected = JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile("checkpoints", "valid.json")));

    public static TheoryData<string> Files => [.. Expected.RootElement.EnumerateObject().Select(entry => entry.Name)];

    [Fact]
    public void The_list_is_complete() => Assert.Equal(22, Files.Count);

    [Theory]
    [MemberData(nameof(Files))]
    public void Loads_as_PyTorch_saved_it(string name)
    {
        var expected = Expected.RootElement.GetProperty(name);
        using var checkpoint = Checkpoint.Open(RepositoryPaths.GoldenFile("checkpoints", name));
        Assert.Equal(FormatOf(name), checkpoint.Format);
        Assert.Empty(checkpoint.Warnings);
        checkpoint.Verify();
        if (expected.TryGetProperty("content", out var content)) CheckNode(content, checkpoint.Root, "");
        else CheckStateDict(expected.GetProperty("state_dict"), checkpoint);
    }

    [Fact]
    public void Nested_names_are_joined_by_dots()
    {
        using var checkpoint = Checkpoint.Open(RepositoryPaths.GoldenFile("checkpoints", "zip_nested.pt"));
        Assert.Equal(new BigInteger(1), checkpoint.Values["dict.a"]);
        Assert.Equal("two", checkpoint.Values["dict.2"]);
        Assert.Null(checkpoint.Values["dict.3.5"]);
        Assert.Equal("tuple key", checkpoint.Values["dict.(1, 2)"]);
        Assert.Equal(new BigInteger(3), checkpoint.Values["dict.True.4.1.1.0"]);
        Assert.Equal(long.MaxValue, checkpoint.FindInteger("ints.10"));
        Assert.Equal(0.1, checkpoint.FindNumber("floats.6"));
        Assert.Equal("tensor", Assert.Single(checkpoint.Tensors).Name);
        Assert.Same(checkpoint.Tensors[0], checkpoint.Find("tensor"));
        Assert.Same(checkpoint.Tensors[0], checkpoint.Root["tensor"]!.Tensor);
        Assert.Null(checkpoint.Find("nothing"));
    }

    [Fact]
    public void Optimizer_state_has_numbered_names()
    {
        using var checkpoint = Checkpoint.Open(RepositoryPaths.GoldenFile("checkpoints", "legacy_optimizer_int_step.pt"));
        Assert.Contains(checkpoint.Tensors, tensor => tensor.Name.EndsWith("state.0.exp_avg", StringComparison.Ordinal));
        Assert.Contains(checkpoint.Values, value => value.Key.EndsWith("param_groups.0.betas.1", StringComparison.Ordinal) && value.Value is 0.95);
    }

    [Fact]
    public void Entries_of_a_real_training_checkpoint_are_there()
    {
        using var checkpoint = Checkpoint.Open(RepositoryPaths.GoldenFile("gpt", "gpt_tiny.pt"));
        Assert.Equal(["model", "optimizer", "scaler", "epoch", "val_loss", "step"], checkpoint.Root.Entries.Select(entry => entry.Key.String));
        Assert.Equal(double.PositiveInfinity, checkpoint.Values["val_loss"]);
        Assert.NotNull(checkpoint.FindInteger("epoch"));
        Assert.Equal(ElementType.Bool, checkpoint.Find("model.blocks.0.mask")!.Type);
        Assert.Equal("collections.OrderedDict", checkpoint.Root["model"]!.ClassName);
    }

    private static CheckpointFormat FormatOf(string name) =>
        name.StartsWith("legacy", StringComparison.Ordinal) ? CheckpointFormat.PyTorchLegacy
        : name.StartsWith("torchscript", StringComparison.Ordinal) ? CheckpointFormat.TorchScript
        : CheckpointFormat.PyTorchZip;

    private static void CheckStateDict(JsonElement expected, Checkpoint checkpoint)
    {
        Assert.Equal(expected.GetArrayLength(), expected.EnumerateArray().Select(item => item.GetProperty("name").GetString()).Distinct().Count());
        foreach (var item in expected.EnumerateArray())
        {
            var tensor = checkpoint.Find(item.GetProperty("name").GetString()!);
            Assert.True(tensor is not null, $"{item.GetProperty("name")} is missing");
            Assert.Equal(item.GetProperty("dtype").GetString(), tensor.Type.ToText());
            Assert.Equal(item.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()), tensor.Shape);
            Assert.Equal(item.GetProperty("sha256").GetString(), Hash(tensor));
        }
        string[] sizes = ["input_resolution", "context_length", "vocab_size"];
        var known = expected.EnumerateArray().Select(item => item.GetProperty("name").GetString()!).Concat(sizes).ToHashSet();
        Assert.All(checkpoint.Tensors, tensor => Assert.Contains(tensor.Name, known));
        Assert.Empty(checkpoint.Values);
    }

    private static void CheckNode(JsonElement expected, CheckpointNode node, string path)
    {
        var type = expected.GetProperty("type").GetString();
        switch (type)
        {
            case "dict" or "ordered_dict":
                Assert.Equal(NodeKind.Dict, node.Kind);
                Assert.Equal(type == "dict" ? null : "collections.OrderedDict", node.ClassName);
                Assert.Equal(expected.GetProperty("items").GetArrayLength(), node.Entries.Count);
                for (var i = 0; i < node.Entries.Count; i++)
                {
                    CheckNode(expected.GetProperty("items")[i][0], node.Entries[i].Key, path + ".key");
                    CheckNode(expected.GetProperty("items")[i][1], node.Entries[i].Value, $"{path}.{i}");
                }
                break;
            case "list" or "tuple":
                Assert.Equal(type == "list" ? NodeKind.List : NodeKind.Tuple, node.Kind);
                Assert.Equal(expected.GetProperty("items").GetArrayLength(), node.Items.Count);
                for (var i = 0; i < node.Items.Count; i++) CheckNode(expected.GetProperty("items")[i], node.Items[i], $"{path}.{i}");
                break;
            case "int": Assert.Equal(BigInteger.Parse(expected.GetProperty("value").ToString(), CultureInfo.InvariantCulture), node.Int); break;
            case "float": Assert.Equal(BitConverter.DoubleToInt64Bits(Number(expected.GetProperty("value"))), BitConverter.DoubleToInt64Bits(node.Float)); break;
            case "str": Assert.Equal(expected.GetProperty("value").GetString(), node.String); break;
            case "bool": Assert.Equal(expected.GetProperty("value").GetBoolean(), node.Bool); break;
            case "none": Assert.Equal(NodeKind.None, node.Kind); break;
            case "tensor" or "parameter": CheckTensor(expected, node.Tensor, type == "parameter"); break;
            default: Assert.Fail($"{path}: unknown expectation {type}"); break;
        }
    }

    private static void CheckTensor(JsonElement expected, CheckpointTensor tensor, bool isParameter)
    {
        Assert.Equal(expected.GetProperty("dtype").GetString(), tensor.Type.ToText());
        Assert.Equal(expected.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()), tensor.Shape);
        Assert.Equal(expected.GetProperty("stride").EnumerateArray().Select(size => size.GetInt64()), tensor.Strides);
        Assert.Equal(expected.GetProperty("storage_offset").GetInt64(), tensor.StorageOffset);
        Assert.Equal(expected.GetProperty("storage").GetInt32(), tensor.StorageIndex);
        Assert.Equal(isParameter, tensor.IsParameter);
        if (isParameter) Assert.Equal(expected.GetProperty("requires_grad").GetBoolean(), tensor.RequiresGrad);
        Assert.Equal(expected.GetProperty("sha256").GetString(), Hash(tensor));
        var first = expected.GetProperty("first").EnumerateArray().Select(Number).ToArray();
        Assert.Equal(Math.Min(4, tensor.Count), first.Length);
        var values = new float[first.Length];
        tensor.ReadFloats(0, values);
        for (var i = 0; i < first.Length; i++)
        {
            if (double.IsNaN(first[i])) Assert.True(float.IsNaN(values[i]));
            else Assert.Equal(BitConverter.SingleToInt32Bits((float)first[i]), BitConverter.SingleToInt32Bits(values[i]));
        }
    }

    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : value.GetString() switch
    {
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        "nan" => double.NaN,
        var text => throw new FormatException($"no number: {text}"),
    };

    private static string Hash(CheckpointTensor tensor)
    {
        var bytes = new byte[tensor.Count * tensor.Type.ByteSize()];
        tensor.ReadBytes(0, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
