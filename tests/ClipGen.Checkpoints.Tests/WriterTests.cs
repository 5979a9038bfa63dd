using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using ClipGen.Testing;

namespace ClipGen.Checkpoints.Tests;

/// <summary>What the writers write is read back bit for bit, has the layout that PyTorch and safetensors expect, and replaces files in one step.</summary>
public class WriterTests
{
    private static readonly ElementType[] AllTypes = Enum.GetValues<ElementType>();

    public static TheoryData<string> Extensions => ["pt", "safetensors"];

    [Theory]
    [MemberData(nameof(Extensions))]
    public void All_types_and_shapes_come_back(string extension)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("out." + extension);
        long[][] shapes = [[], [0], [3, 0, 2], [1], [7], [2, 3, 5], [1, 2, 1, 3, 1]];
        var expected = new Dictionary<string, (ElementType Type, long[] Shape, byte[] Bytes)>();
        foreach (var type in AllTypes)
            foreach (var shape in shapes)
                expected[$"{type.ToText()}.[{string.Join('x', shape)}]"] = (type, shape, RandomBytes(type, shape.Aggregate(1L, (a, b) => a * b), expected.Count));
        expected["\u00e9\u4e2d\ud83d\ude00 \"quoted\" \\ name"] = (ElementType.F32, [2], RandomBytes(ElementType.F32, 2, 99));
        expected[""] = (ElementType.I8, [1], [200]);
        Write(path, [.. expected.Select(entry => Source(entry.Key, entry.Value.Type, entry.Value.Shape, entry.Value.Bytes))]);
        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal(extension == "pt" ? CheckpointFormat.PyTorchZip : CheckpointFormat.Safetensors, checkpoint.Format);
        Assert.Equal(AllTypes.Length * shapes.Length + 2, checkpoint.Tensors.Count);
        checkpoint.Verify();
        Assert.Empty(checkpoint.Warnings);
        foreach (var (name, (type, shape, bytes)) in expected)
        {
            var tensor = checkpoint.Find(name);
            Assert.NotNull(tensor);
            Assert.Equal(type, tensor.Type);
            Assert.Equal(shape, tensor.Shape);
            Assert.Equal(bytes, Bytes(tensor));
        }
    }

    [Theory]
    [MemberData(nameof(Extensions))]
    public void Large_tensors_go_through_in_pieces(string extension)
    {
        const int count = (48 << 20) / 4 + 13;
        using var folder = new TemporaryFolder();
        var path = folder.File("large." + extension);
        // Values are a function of the index, so neither side needs the whole tensor.
        var source = new TensorSource("w", ElementType.I32, [count], (first, bytes) =>
        {
            for (var i = 0; i < bytes.Length / 4; i++) BinaryPrimitives.WriteInt32LittleEndian(bytes[(4 * i)..], Mixed(first + i));
        });
        var before = GC.GetAllocatedBytesForCurrentThread();
        Write(path, [source, TensorSource.From("small", [1, 2, 3], 3)]);
        using var checkpoint = Checkpoint.Open(path);
        checkpoint.Verify();
        var tensor = checkpoint.Find("w")!;
        var piece = new byte[999_999 * 4];
        for (long first = 0; first < count; first += 999_999)
        {
            var bytes = piece.AsSpan(0, (int)Math.Min(999_999, count - first) * 4);
            tensor.ReadBytes(first, bytes);
            for (var i = 0; i < bytes.Length / 4; i++)
                if (BinaryPrimitives.ReadInt32LittleEndian(bytes[(4 * i)..]) != Mixed(first + i))
                    Assert.Fail($"element {first + i} differs");
        }
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 8 << 20, $"{allocated:N0} bytes were allocated for a tensor of {4L * count:N0}");
        Assert.True(new FileInfo(path).Length > 4L * count);

        static int Mixed(long i) => unchecked((int)(i * 2654435761L));
    }

    [Fact]
    public void Nested_values_come_back_as_they_were()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("latest.pt");
        var weight = TensorSource.From("weight", [1, float.NaN, -0f, 4, 5, 6], 2, 3);
        var shared = TensorSource.From("bias", [7, 8], 2);
        PyTorchWriter.Write(path, PyTorchValue.Dict(
            ("model", PyTorchValue.StateDict([weight, shared])),
            ("tied", shared),
            ("optimizer", PyTorchValue.Dict(
                ("state", PyTorchValue.Dict([((PyTorchValue)0L, PyTorchValue.Dict(("step", 12L), ("exp_avg", weight)))])),
                ("param_groups", PyTorchValue.List(PyTorchValue.Dict(("lr", 1e-4), ("betas", PyTorchValue.Tuple(0.9, 0.95)), ("amsgrad", false), ("params", PyTorchValue.List(0L, 1L))))))),
            ("scaler", PyTorchValue.Dict()),
            ("epoch", 3L),
            ("negative", -70_000L),
            ("huge", BigInteger.Pow(-10, 30)),
            ("val_loss", double.PositiveInfinity),
            ("note", "gr\u00fc\u00df dich"),
            ("nothing", PyTorchValue.None)));
        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal(["model.weight", "model.bias", "tied", "optimizer.state.0.exp_avg"], checkpoint.Tensors.Select(tensor => tensor.Name));
        Assert.Equal("collections.OrderedDict", checkpoint.Root["model"]!.ClassName);
        Assert.Null(checkpoint.Root.ClassName);
        Assert.Equal(checkpoint.Find("model.bias")!.StorageIndex, checkpoint.Find("tied")!.StorageIndex);
        Assert.NotEqual(checkpoint.Find("model.bias")!.StorageIndex, checkpoint.Find("model.weight")!.StorageIndex);
        var values = new float[6];
        checkpoint.Find("model.weight")!.ReadFloats(0, values);
        Assert.Equal([1, float.NaN, -0f, 4, 5, 6], values);
        Assert.Equal(
            new Dictionary<string, object?>
            {
                ["optimizer.state.0.step"] = new BigInteger(12),
                ["optimizer.param_groups.0.lr"] = 1e-4,
                ["optimizer.param_groups.0.betas.0"] = 0.9,
                ["optimizer.param_groups.0.betas.1"] = 0.95,
                ["optimizer.param_groups.0.amsgrad"] = false,
                ["optimizer.param_groups.0.params.0"] = new BigInteger(0),
                ["optimizer.param_groups.0.params.1"] = new BigInteger(1),
                ["epoch"] = new BigInteger(3),
                ["negative"] = new BigInteger(-70_000),
                ["huge"] = BigInteger.Pow(-10, 30),
                ["val_loss"] = double.PositiveInfinity,
                ["note"] = "gr\u00fc\u00df dich",
                ["nothing"] = null,
            },
            checkpoint.Values);
        Assert.Equal(NodeKind.Tuple, checkpoint.Root["optimizer"]!["param_groups"]!.Items[0]["betas"]!.Kind);
        Assert.Empty(checkpoint.Root["scaler"]!.Entries);
    }

    [Theory]
    [InlineData("checkpoints", "zip_nested.pt")]
    [InlineData("checkpoints", "zip_views.pt")]
    [InlineData("checkpoints", "legacy_optimizer_int_step.pt")]
    [InlineData("checkpoints", "torchscript_clip_half.pt")]
    [InlineData("gpt", "gpt_tiny.pt")]
    [InlineData("vqgan", "vqgan_tiny.pt")]
    public void A_whole_checkpoint_can_be_copied(string group, string name)
    {
        using var folder = new TemporaryFolder();
        using var original = Checkpoint.Open(RepositoryPaths.GoldenFile(group, name));
        var path = folder.File("copy.pt");
        PyTorchWriter.Write(path, PyTorchValue.From(original.Root));
        using var copy = Checkpoint.Open(path);
        copy.Verify();
        Assert.Equal(original.Values, copy.Values);
        Assert.NotEmpty(copy.Tensors);
        Assert.Equal(original.Tensors.Select(Summary), copy.Tensors.Select(Summary));
    }

    [Fact]
    public void A_safetensors_file_survives_both_writers()
    {
        using var folder = new TemporaryFolder();
        using var original = Checkpoint.Open(RepositoryPaths.GoldenFile("gpt", "gpt_tiny.safetensors"));
        PyTorchWriter.Write(folder.File("copy.pt"), [.. original.Tensors.Select(TensorSource.From)]);
        using var middle = Checkpoint.Open(folder.File("copy.pt"));
        SafetensorsWriter.Write(folder.File("copy.safetensors"), [.. middle.Tensors.Select(TensorSource.From)], new Dictionary<string, string> { ["b"] = "2", ["a"] = "\u00e9\n" });
        using var last = Checkpoint.Open(folder.File("copy.safetensors"));
        Assert.NotEmpty(original.Tensors);
        Assert.Equal(original.Tensors.Select(Summary), middle.Tensors.Select(Summary));
        Assert.Equal(original.Tensors.Select(Summary).Order(), last.Tensors.Select(Summary).Order());
        Assert.Equal(new Dictionary<string, object?> { ["__metadata__.a"] = "\u00e9\n", ["__metadata__.b"] = "2" }, last.Values);
    }

    [Fact]
    public void Pt_files_have_the_layout_of_torch_save()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model.pt");
        PyTorchWriter.Write(path, [.. Enumerable.Range(0, 12).Select(i => TensorSource.From($"t{i}", new float[i], i))]);
        var bytes = File.ReadAllBytes(path);
        using var zip = new ZipArchive(new MemoryStream(bytes));
        string[] expected =
        [
            "data.pkl", ".format_version", ".storage_alignment", "byteorder",
            "data/0", "data/1", "data/10", "data/11", "data/2", "data/3", "data/4", "data/5", "data/6", "data/7", "data/8", "data/9",
            "version", ".data/serialization_id",
        ];
        Assert.Equal(expected.Select(name => "archive/" + name), zip.Entries.Select(entry => entry.FullName));
        Assert.Equal("1", Text(".format_version"));
        Assert.Equal("64", Text(".storage_alignment"));
        Assert.Equal("little", Text("byteorder"));
        Assert.Equal("3\n", Text("version"));
        Assert.Matches("^[0-9]{40}$", Text(".data/serialization_id"));
        var pickle = Content("data.pkl");
        Assert.Equal([0x80, 2], pickle[..2]);
        Assert.StartsWith("ccollections\nOrderedDict\n)R(X", Encoding.Latin1.GetString(pickle[2..]), StringComparison.Ordinal);
        Assert.Equal((byte)'.', pickle[^1]);
        // Every entry is stored, and its data begins at a multiple of 64 (local header: 30 bytes, name, extra field "FB").
        var at = 0;
        foreach (var entry in zip.Entries)
        {
            Assert.Equal(0x04034B50, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at)));
            Assert.Equal(0, BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(at + 8)));
            Assert.Equal(entry.Crc32, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 14)));
            Assert.Equal(entry.Length, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 22)));
            var data = at + 30 + BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(at + 26)) + BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(at + 28));
            Assert.Equal(0, data % 64);
            Assert.Equal("FB"u8.ToArray(), bytes[(at + 30 + entry.FullName.Length)..(at + 32 + entry.FullName.Length)]);
            at = data + (int)entry.Length;
        }

        byte[] Content(string name)
        {
            using var stream = zip.GetEntry("archive/" + name)!.Open();
            var content = new MemoryStream();
            stream.CopyTo(content);
            return content.ToArray();
        }

        string Text(string name) => Encoding.ASCII.GetString(Content(name));
    }

    [Fact]
    public void Safetensors_have_the_layout_of_the_reference()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("a.safetensors");
        SafetensorsWriter.Write(
            path,
            [Source("b", ElementType.U8, [1], [5]), TensorSource.From("z", [1f], 1), Source("a", ElementType.U8, [], [6]), Source("i", ElementType.I64, [0], [])],
            new Dictionary<string, string> { ["format"] = "pt" });
        var bytes = File.ReadAllBytes(path);
        var length = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, length % 8);
        var header = Encoding.UTF8.GetString(bytes.AsSpan(8, (int)length));
        const string expected = """
            {"__metadata__":{"format":"pt"},"i":{"dtype":"I64","shape":[0],"data_offsets":[0,0]},"z":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[],"data_offsets":[4,5]},"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}}
            """;
        Assert.Equal(expected, header.TrimEnd(' '));
        Assert.Equal([0, 0, 0x80, 0x3F, 6, 5], bytes[(8 + (int)length)..]);
    }

    [Theory]
    [MemberData(nameof(Extensions))]
    public void A_failed_write_leaves_the_old_file_and_nothing_else(string extension)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model." + extension);
        Write(path, [TensorSource.From("a", [1, 2], 2)]);
        var before = File.ReadAllBytes(path);
        var broken = new TensorSource("b", ElementType.F32, [1 << 20], (first, bytes) =>
        {
            if (first > 0) throw new InvalidDataException("no more");
            bytes.Clear();
        });
        Assert.Throws<InvalidDataException>(() => Write(path, [broken]));
        Assert.Equal([Path.GetFileName(path)], folder.Names);
        Assert.Equal(before, File.ReadAllBytes(path));
        Write(path, [TensorSource.From("a", [3], 1)]);
        Assert.NotEqual(before, File.ReadAllBytes(path));
        Assert.Equal([Path.GetFileName(path)], folder.Names);
    }

    [Theory]
    [MemberData(nameof(Extensions))]
    public void Unwritable_places_give_one_clear_line(string extension)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("plain"), "x");
        foreach (var (path, reason) in new[] { (folder.Path, "folder"), (folder.File("missing/a." + extension), "does not exist"), (folder.File("plain/a." + extension), "can't be written"), ("", "usable path") })
        {
            var error = Assert.Throws<CheckpointException>(() => Write(path, [TensorSource.From("a", [1], 1)], extension));
            Assert.Equal(path, error.Path);
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', error.Message);
        }
        Assert.Equal(["plain"], folder.Names);
    }

    [Theory]
    [MemberData(nameof(Extensions))]
    public void Impossible_tensors_are_refused_before_anything_is_written(string extension)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("x." + extension);
        var a = TensorSource.From("a", [1], 1);
        Assert.Throws<ArgumentException>(() => Write(path, [a, TensorSource.From("a", [2], 1)]));
        Assert.Throws<ArgumentException>(() => Write(path, [a with { Shape = [-1] }]));
        Assert.Throws<ArgumentException>(() => Write(path, [a with { Shape = [1L << 40, 1L << 40] }]));
        Assert.Throws<ArgumentException>(() => TensorSource.From("a", [1, 2, 3], 2));
        Assert.Empty(folder.Names);
    }

    private static void Write(string path, IReadOnlyList<TensorSource> tensors, string? extension = null)
    {
        if (Path.GetExtension(path) == ".pt" || extension == "pt") PyTorchWriter.Write(path, tensors);
        else SafetensorsWriter.Write(path, tensors);
    }

    private static TensorSource Source(string name, ElementType type, long[] shape, byte[] bytes) =>
        new(name, type, shape, (first, destination) => bytes.AsSpan((int)first * type.ByteSize(), destination.Length).CopyTo(destination));

    private static byte[] RandomBytes(ElementType type, long count, int seed)
    {
        var bytes = new byte[count * type.ByteSize()];
        new Random(seed).NextBytes(bytes);
        if (type == ElementType.Bool)
            for (var i = 0; i < bytes.Length; i++)
                bytes[i] &= 1;
        return bytes;
    }

    private static byte[] Bytes(CheckpointTensor tensor)
    {
        var bytes = new byte[tensor.Count * tensor.Type.ByteSize()];
        tensor.ReadBytes(0, bytes);
        return bytes;
    }

    private static string Summary(CheckpointTensor tensor) => $"{tensor} {Convert.ToHexString(SHA256.HashData(Bytes(tensor)))}";
}
