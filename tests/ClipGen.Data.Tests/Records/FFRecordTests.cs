using System.Buffers.Binary;
using ClipGen.Data.Datasets;
using ClipGen.Data.Records;

namespace ClipGen.Data.Tests.Records;

/// <summary>Files of FFRecord: the layout byte by byte, and what is damaged.</summary>
public sealed class FFRecordTests : IDisposable
{
    // Three samples, "abc", nothing and "hello", worked out by hand from the layout.
    private const string Known = "3808c8cc0300000000000000c24124350000000086a6103630000000000000003300000000000000330000000000000061626368656c6c6f";

    private readonly TemporaryFolder folder = new();

    private static byte[][] Samples => ["abc"u8.ToArray(), [], "hello"u8.ToArray()];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheLayoutIsTheKnownOne()
    {
        FFRecordFile.Write(folder["a.ffr"], 3, Samples);
        Assert.Equal(Known, Convert.ToHexStringLower(File.ReadAllBytes(folder["a.ffr"])));
        using var file = FFRecordFile.Open(folder["a.ffr"]);
        Assert.Equal(3, file.Count);
        Assert.True(file.HasHeaderChecksum);
        for (var i = 0; i < 3; i++) Assert.Equal(Samples[i], file.Read(i));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(-1));
    }

    [Fact]
    public void OldFilesHaveNoChecksumOfTheHeader()
    {
        var bytes = Convert.FromHexString(Known);
        bytes.AsSpan(0, 4).Clear();
        using var file = FFRecordFile.Open(folder.Write("old.ffr", bytes));
        Assert.False(file.HasHeaderChecksum);
        Assert.Equal(Samples[2], file.Read(2));
    }

    [Fact]
    public void AFlippedBitAnywhereIsNoticed()
    {
        var known = Convert.FromHexString(Known);
        for (var at = 0; at < known.Length; at++)
        {
            var bytes = (byte[])known.Clone();
            bytes[at] ^= 0x10;
            var path = folder.Write("flipped.ffr", bytes);
            var failure = Assert.Throws<DataException>(() =>
            {
                using var file = FFRecordFile.Open(path);
                for (var i = 0; i < 3; i++) file.Read(i);
            });
            Assert.Contains(path, failure.Message);
            // In the samples, it is said in which.
            if (at >= 48) Assert.Contains($"sample {(at < 51 ? 0 : 2)}", failure.Message);
        }
    }

    [Fact]
    public void EveryTruncationIsNoticed()
    {
        var known = Convert.FromHexString(Known);
        for (var length = 0; length < known.Length; length++)
        {
            var path = folder.Write("short.ffr", known[..length]);
            Assert.Contains(path, Assert.Throws<DataException>(() =>
            {
                using var file = FFRecordFile.Open(path);
                for (var i = 0; i < 3; i++) file.Read(i);
            }).Message);
        }
    }

    [Theory]
    [InlineData("count", long.MaxValue, "at most")]
    [InlineData("count", -1, "at most")]
    [InlineData("count", 5, "at most")]
    [InlineData("count", 0, "not finished")]
    [InlineData("first", 47, "behind the header")]
    [InlineData("second", 20, "before it begins")]
    [InlineData("second", long.MinValue, "before it begins")]
    [InlineData("third", long.MaxValue, "before it begins")]
    [InlineData("third", 57, "before it begins")]
    public void NumbersAreCheckedBeforeTheyAreUsed(string field, long value, string complaint)
    {
        var bytes = Convert.FromHexString(Known);
        // As a malicious writer would, with no checksum to betray it.
        bytes.AsSpan(0, 4).Clear();
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(field switch { "count" => 4, "first" => 24, "second" => 32, _ => 40 }), value);
        Assert.Contains(complaint, Assert.Throws<DataException>(() => FFRecordFile.Open(folder.Write("bad.ffr", bytes))).Message);
    }

    [Fact]
    public void WritersThatMiscountLeaveNothing()
    {
        Assert.Throws<ArgumentException>(() => FFRecordFile.Write(folder["a.ffr"], 2, Samples));
        Assert.Throws<ArgumentException>(() => FFRecordFile.Write(folder["a.ffr"], 4, Samples));
        Assert.Throws<DataException>(() => FFRecordFile.Write(folder["no/a.ffr"], 3, Samples));
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void FilesOfAFolderFollowOneAnother()
    {
        Directory.CreateDirectory(folder["set"]);
        Picture[] pictures = [.. Enumerable.Range(1, 5).Select(i => TestPictures.Hashed(4 + i, 3))];
        byte[][] samples = [.. pictures.Select(PictureFile.EncodePng)];
        FFRecordFile.Write(folder["set/PART_00001.ffr"], 3, samples[2..]);
        FFRecordFile.Write(folder["set/PART_00000.ffr"], 2, samples[..2]);
        FFRecordFile.Write(folder["set/PART_00000a.ffr"], 0, []);
        using var dataset = Assert.IsType<FFRecordDataset>(PictureDatasets.Open(folder["set"]));
        Assert.Equal(5, dataset.Count);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(pictures[i].Rgb, dataset.Load(i).Rgb);
            Assert.Equal(samples[i], dataset.Stored(i));
        }
        Assert.Equal($"{folder["set/PART_00001.ffr"]}, sample 1", dataset.NameOf(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Load(5));
        FFRecordFile.Write(folder["none.ffr"], 0, []);
        Assert.Contains("no sample", Assert.Throws<DataException>(() => PictureDatasets.Open(folder["none.ffr"])).Message);
    }

    [Fact]
    public void MutatedFilesOnlyEndInDataErrors()
    {
        FFRecordFile.Write(folder["a.ffr"], 3, Samples);
        var seed = File.ReadAllBytes(folder["a.ffr"]);
        var random = new Random(8);
        int accepted = 0, refused = 0;
        for (var i = 0; i < 6_000; i++)
        {
            var bytes = (byte[])seed.Clone();
            for (var k = random.Next(1, 4); k > 0; k--) bytes[random.Next(48)] = (byte)random.Next(256);
            if (random.Next(2) == 0) bytes.AsSpan(0, 4).Clear();
            if (random.Next(8) == 0) bytes = bytes[..random.Next(bytes.Length)];
            var path = folder.Write("fuzz.ffr", bytes);
            try
            {
                using var file = FFRecordFile.Open(path);
                accepted++;
                for (var n = 0; n < file.Count; n++) file.Read(n);
            }
            catch (DataException e)
            {
                Assert.Contains(path, e.Message);
                refused++;
            }
        }
        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }
}
