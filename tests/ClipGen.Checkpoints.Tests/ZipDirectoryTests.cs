using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace ClipGen.Checkpoints.Tests;

/// <summary>The zip directory: 64-bit fields, deflated entries, and every lie that a directory can tell.</summary>
public class ZipDirectoryTests
{
    private static readonly byte[] OneTensor = Zips.Pickle(
        "}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\00X\x03\0\0\0cpuK\x04tQK\0(K\x02K\x02t(K\x02K\x01t\u0089ccollections\nOrderedDict\n)RtRs");

    private static (string, byte[])[] Entries =>
        [("archive/data.pkl", OneTensor), ("archive/data/0", [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40]), ("archive/version", "3\n"u8.ToArray())];

    [Fact]
    public void Crc_has_the_published_check_value()
    {
        Assert.Equal(0xCBF43926u, Crc32.Of("123456789"u8));
        var bytes = new byte[1000];
        new Random(1).NextBytes(bytes);
        var parts = default(Crc32);
        parts.Add(bytes.AsSpan(0, 13));
        parts.Add(bytes.AsSpan(13));
        Assert.Equal(Crc32.Of(bytes), parts.Value);
    }

    [Fact]
    public void The_hand_made_archive_is_good() => AssertReads(Zips.Of(Entries));

    [Fact]
    public void Deflated_entries_are_read() => AssertReads(Zips.Of(CompressionLevel.Optimal, Entries));

    [Fact]
    public void A_comment_at_the_end_is_allowed()
    {
        var bytes = Zips.Of(Entries);
        BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(bytes.Length - 2), 5);
        AssertReads([.. bytes, .. "hello"u8]);
    }

    [Fact]
    public void Wide_sizes_and_offsets_are_written_and_read()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("wide.pt");
        using (var stream = File.Create(path))
        {
            var zip = new ZipWriter(stream, narrowLimit: 10);
            foreach (var (name, data) in Entries) zip.Add(name, data);
            zip.Finish();
        }
        var bytes = File.ReadAllBytes(path);
        AssertReads(bytes);
        using var framework = new ZipArchive(new MemoryStream(bytes));
        Assert.Equal(Entries.Select(entry => (entry.Item1, (long)entry.Item2.Length)), framework.Entries.Select(entry => (entry.FullName, entry.Length)));
    }

    [Fact]
    public void Storage_without_a_checksum_is_read()
    {
        var bytes = Zips.Of(Entries);
        Patch(bytes, "archive/data/0", 16, 0);
        AssertReads(bytes);
    }

    public static TheoryData<string, int, uint, string> Lies => new()
    {
        { "flags", 8, 1, "encrypted" },
        { "method", 10, 12, "method 12" },
        { "deflated here, stored there", 10, 8, "according to one header" },
        { "checksum", 16, 0x12345678, "checksum" },
        { "compressed size", 20, 15, "two sizes" },
        { "size", 24, 17, "two sizes" },
        { "header offset before", 42, 1, "overlaps" },
        { "header offset past the end", 42, 0x7FFFFFFF, "past the data" },
        { "64-bit offset without a field", 42, 0xFFFFFFFF, "past the data" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void A_lying_entry_is_refused(string what, int field, uint value, string reason)
    {
        Assert.NotEmpty(what);
        var bytes = Zips.Of(Entries);
        Patch(bytes, "archive/data/0", field, value);
        AssertRefused(bytes, reason);
    }

    [Fact]
    public void Headers_that_name_an_entry_differently_are_refused()
    {
        var bytes = Zips.Of(Entries);
        bytes[Find(bytes, "archive/data/0", 0x04034B50) + 30] ^= 1;
        AssertRefused(bytes, "another header");
    }

    [Fact]
    public void Overlapping_entries_are_refused()
    {
        // The local entry of "data/0" is swallowed by data.pkl, whose size is stretched over it in both headers.
        var bytes = Zips.Of(Entries);
        var grown = (uint)(Find(bytes, "archive/data/0", 0x04034B50) + 40 - Find(bytes, "archive/data.pkl", 0x04034B50) - 30 - "archive/data.pkl".Length);
        Patch(bytes, "archive/data.pkl", 20, grown);
        Patch(bytes, "archive/data.pkl", 24, grown);
        AssertRefused(bytes, "overlaps");
    }

    [Fact]
    public void Zip_bombs_are_refused()
    {
        var bytes = Zips.Of(CompressionLevel.Optimal, Entries);
        Patch(bytes, "archive/data.pkl", 24, 30_000_000);
        AssertRefused(bytes, "deflate cannot do");
    }

    [Fact]
    public void A_deflated_entry_of_another_size_is_refused()
    {
        var bytes = Zips.Of(CompressionLevel.Optimal, Entries);
        Patch(bytes, "archive/data.pkl", 24, (uint)OneTensor.Length + 1);
        AssertRefused(bytes, "does not inflate");
    }

    [Theory]
    [InlineData("other/data/0", "not in the folder 'archive/'")]
    [InlineData("loose", "not in the folder 'archive/'")]
    [InlineData("archive/../x", "leave the archive")]
    [InlineData("archive\\x", "leave the archive")]
    [InlineData("archive/data.pkl", "twice")]
    public void Names_outside_of_the_archive_are_refused(string name, string reason) => AssertRefused(Zips.Of([.. Entries, (name, [1])]), reason);

    [Fact]
    public void A_zip_of_something_else_is_refused() => AssertRefused(Zips.Of(("readme.txt", "hi"u8.ToArray())), "not a PyTorch checkpoint");

    [Fact]
    public void A_huge_description_is_refused() =>
        AssertRefused(Zips.Of(CompressionLevel.Fastest, [("archive/data.pkl", new byte[PickleReader.MaxBytes + 1])]), "not read");

    [Fact]
    public void A_newer_version_is_read_with_a_warning()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("new.pt", Zips.Of([.. Entries[..2], ("archive/version", "11\n"u8.ToArray())]));
        using var checkpoint = Checkpoint.Open(path);
        Assert.Contains("version 11", Assert.Single(checkpoint.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_finds_damage_in_a_large_storage()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("large.pt");
        PyTorchWriter.Write(path, [TensorSource.From("w", new float[100_000], 100_000)]);
        var bytes = File.ReadAllBytes(path);
        bytes[200_000] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var checkpoint = Checkpoint.Open(path);
        Assert.Contains("checksum", Assert.Throws<CheckpointException>(checkpoint.Verify).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deflated_tensors_can_be_read_in_any_order()
    {
        using var folder = new TemporaryFolder();
        var random = new byte[400_000];
        new Random(3).NextBytes(random);
        var pickle = Zips.Pickle(
            "}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nByteStorage\nX\x01\0\0\00X\x03\0\0\0cpuJ\u0080\u001a\x06\0tQK\0(J\u0080\u001a\x06\0t(K\x01t\u0089ccollections\nOrderedDict\n)RtRs");
        var path = folder.Write("deflated.pt", Zips.Of(CompressionLevel.Optimal, [("archive/data.pkl", pickle), ("archive/data/0", random)]));
        using var checkpoint = Checkpoint.Open(path);
        var tensor = Assert.Single(checkpoint.Tensors);
        Assert.Equal(random.Length, tensor.Count);
        Parallel.For(0, 20, i =>
        {
            var first = i * 7919 % 400_000 * 13 % 300_000;
            var piece = new byte[100_000];
            tensor.ReadBytes(first, piece);
            Assert.True(piece.AsSpan().SequenceEqual(random.AsSpan(first, piece.Length)));
        });
        checkpoint.Verify();
    }

    private static void AssertReads(byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(folder.Write("a.pt", bytes));
        checkpoint.Verify();
        var values = new float[4];
        Assert.Single(checkpoint.Tensors).ReadFloats(0, values);
        Assert.Equal([1, 2, 3, 4], values);
    }

    private static void AssertRefused(byte[] bytes, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("a.pt", bytes);
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose());
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private static int Find(byte[] bytes, string name, uint signature)
    {
        var header = signature == 0x04034B50 ? 30 : 46;
        for (var at = 0; at < bytes.Length - header; at++)
            if (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at)) == signature && bytes.AsSpan(at + header).StartsWith(Encoding.ASCII.GetBytes(name)))
                return at;
        throw new InvalidOperationException($"no entry {name}");
    }

    // Fields of the directory's entry; the first three are 16 bits wide.
    private static void Patch(byte[] bytes, string name, int field, uint value)
    {
        var at = bytes.AsSpan(Find(bytes, name, 0x02014B50) + field);
        if (field < 16) BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)value);
        else BinaryPrimitives.WriteUInt32LittleEndian(at, value);
    }
}
