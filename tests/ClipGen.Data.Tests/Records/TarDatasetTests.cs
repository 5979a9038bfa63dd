using System.Buffers.Binary;
using System.Formats.Tar;
using System.Text;
using ClipGen.Data.Datasets;
using ClipGen.Data.Records;

namespace ClipGen.Data.Tests.Records;

/// <summary>Tar archives, as the platform's own writer makes them in every dialect, and damaged ones.</summary>
public sealed class TarDatasetTests : IDisposable
{
    private static readonly Picture[] Pictures = [.. Enumerable.Range(1, 4).Select(i => TestPictures.Hashed(5 + i, 4))];
    private readonly TemporaryFolder folder = new();

    public static TheoryData<TarEntryFormat> Dialects => [TarEntryFormat.V7, TarEntryFormat.Ustar, TarEntryFormat.Pax, TarEntryFormat.Gnu];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Dialects))]
    public void EveryDialectIsRead(TarEntryFormat dialect)
    {
        // The old dialect has no place for a long name.
        var name = dialect == TarEntryFormat.V7 ? "b/000002.x.png" : $"b/{(dialect == TarEntryFormat.Ustar ? string.Concat(Enumerable.Repeat("long/", 20)) : new string('l', 180))}/caf\u00E9.png";
        Write("a.tar", dialect, ("a/000001.png", Png(0)), ("a/000001.txt", "a sentence"u8.ToArray()), (name, Png(1)), ("notes", [1, 2, 3]), ("c.PNG", Png(2)));
        using var dataset = Open("a.tar");
        Assert.Equal(3, dataset.Count);
        Assert.Equal(Pictures[0].Rgb, dataset.Load(0).Rgb);
        Assert.Equal($"{folder["a.tar"]}, a/000001.png", dataset.NameOf(0));
        Assert.Equal(Pictures[1].Rgb, dataset.Load(1).Rgb);
        Assert.Equal($"{folder["a.tar"]}, {name}", dataset.NameOf(1));
        Assert.Equal(Png(2), dataset.Stored(dataset.Count - 1));
    }

    [Fact]
    public void ASampleHasOnePictureAndNotesHaveNone()
    {
        Write("a.tar", TarEntryFormat.Ustar,
            ("__key__", [0]), ("__meta__/x.png", Png(3)), ("x.json", [1]), ("x.depth.png", Png(2)), ("x.jpg", Jpeg(0)), ("x.png", Png(1)), ("x.seg.png", Png(2)), ("dir/x.png", Png(2)), (".hidden.png", Png(3)));
        using var dataset = Open("a.tar");
        Assert.Equal(["x.jpg", "dir/x.png"], Enumerable.Range(0, (int)dataset.Count).Select(i => dataset.NameOf(i).Split(", ")[1]));
        Write("twice.tar", TarEntryFormat.Ustar, ("x.png", Png(0)), ("x.PNG", Png(1)));
        Assert.Contains("twice", Assert.Throws<DataException>(() => Open("twice.tar")).Message);
    }

    [Fact]
    public void ArchivesInAnArchiveAreGoneThrough()
    {
        Write("n01.tar", TarEntryFormat.Ustar, ("n01_1.JPEG", Jpeg(0)), ("n01_2.JPEG", Jpeg(1)));
        Write("n02.tar", TarEntryFormat.Ustar, ("n02_1.JPEG", Jpeg(2)));
        Write("ILSVRC2012_img_train.tar", TarEntryFormat.Gnu, ("n01.tar", File.ReadAllBytes(folder["n01.tar"])), ("n02.tar", File.ReadAllBytes(folder["n02.tar"])));
        using var dataset = Open("ILSVRC2012_img_train.tar");
        Assert.Equal(3, dataset.Count);
        Assert.Equal(Jpeg(2), dataset.Stored(2));
        Assert.Equal($"{folder["ILSVRC2012_img_train.tar"]}, n02.tar/n02_1.JPEG", dataset.NameOf(2));
    }

    [Fact]
    public void LinksAndFoldersAreNoFiles()
    {
        using (var stream = File.Create(folder["links.tar"]))
        using (var writer = new TarWriter(stream, TarEntryFormat.Pax))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "d.png"));
            writer.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "etc.png") { LinkName = "/etc/passwd" });
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "../../up.png") { DataStream = new MemoryStream(Png(0)) });
        }
        using var dataset = Open("links.tar");
        // A name that leads upwards is but a name: nothing is unpacked.
        Assert.Equal(1, dataset.Count);
        Assert.Equal(Pictures[0].Rgb, dataset.Load(0).Rgb);
    }

    [Fact]
    public void PatternsAndFoldersNameShards()
    {
        Directory.CreateDirectory(folder["s"]);
        for (var i = 8; i < 12; i++) Write($"s/x-{i:D3}.tar", TarEntryFormat.Ustar, ($"{i}.png", Png(i - 8)));
        using var all = Assert.IsType<TarDataset>(PictureDatasets.Open(folder["s"]));
        Assert.Equal(4, all.Count);
        using var some = Assert.IsType<TarDataset>(PictureDatasets.Open(folder["s/x-{009..010}.tar"]));
        Assert.Equal([Pictures[1].Rgb, Pictures[2].Rgb], Enumerable.Range(0, (int)some.Count).Select(i => some.Load(i).Rgb));
        Assert.Contains("x-012.tar", Assert.Throws<DataException>(() => PictureDatasets.Open(folder["s/x-{008..012}.tar"])).Message);
        Assert.Equal(6, TarDataset.Expand("{0..1}-{7..9}.tar").Count);
        foreach (var pattern in new[] { "{1}.tar", "{2..1}.tar", "{a..b}.tar", "{0..999999999}.tar", "{-1..1}.tar" })
            Assert.Contains(pattern, Assert.Throws<DataException>(() => TarDataset.Expand(pattern)).Message);
    }

    [Fact]
    public void WhatIsNoArchiveIsNamed()
    {
        foreach (var (name, bytes) in new (string, byte[])[] { ("empty", []), ("text", Encoding.ASCII.GetBytes(new string('x', 2000))), ("zeros", new byte[1024]), ("gzip", [0x1F, 0x8B, .. new byte[1000]]) })
            Assert.Contains($"{name}.tar", Assert.Throws<DataException>(() => PictureDatasets.Open(folder.Write($"{name}.tar", bytes))).Message);
        Write("none.tar", TarEntryFormat.Ustar, ("a.txt", [1]));
        Assert.Contains("no picture in the archive", Assert.Throws<DataException>(() => Open("none.tar")).Message);
    }

    [Fact]
    public void ASumInBase256IsReadOrRefused()
    {
        // A header's sum has eight bytes, as few as a binary number of 64 bits: the mark of base 256 is its first bit.
        Write("sum.tar", TarEntryFormat.Ustar, ("a.png", Png(0)));
        var bytes = File.ReadAllBytes(folder["sum.tar"]);
        var sum = Convert.ToInt64(Encoding.ASCII.GetString(bytes, 148, 6), 8);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(148, 8), sum | long.MinValue);
        using (var dataset = new TarDataset("sum", [folder.Write("binary.tar", bytes)])) Assert.Equal(1, dataset.Count);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(148, 8), sum + 1 | long.MinValue);
        Assert.Contains("there is no tar header at byte 0", Assert.Throws<DataException>(() => new TarDataset("sum", [folder.Write("wrong.tar", bytes)])).Message);
    }

    [Fact]
    public void MutatedArchivesOnlyEndInDataErrors()
    {
        byte[][] seeds = [.. Dialects.Select(dialect =>
        {
            Write("seed.tar", dialect.Data, ("a/1.png", Png(0)), (dialect.Data == TarEntryFormat.V7 ? "b.png" : new string('n', 120) + "/2.png", Png(1)));
            return File.ReadAllBytes(folder["seed.tar"]);
        })];
        var random = new Random(9);
        int accepted = 0, refused = 0;
        for (var i = 0; i < 4_000; i++)
        {
            var bytes = (byte[])seeds[i % seeds.Length].Clone();
            var header = random.Next(bytes.Length / 512) * 512;
            for (var k = random.Next(1, 4); k > 0; k--) bytes[header + random.Next(512)] = (byte)random.Next(256);
            // Most changes alone would be caught by the header's sum: it is made right again.
            if (random.Next(4) > 0) Sign(bytes.AsSpan(header, 512));
            if (random.Next(8) == 0) bytes = bytes[..random.Next(bytes.Length)];
            var path = folder.Write("fuzz.tar", bytes);
            try
            {
                using var dataset = new TarDataset(path, [path]);
                for (var n = 0; n < dataset.Count; n++) Assert.NotNull(dataset.Stored(n));
                accepted++;
            }
            catch (DataException e)
            {
                Assert.Contains(path, e.Message);
                Assert.DoesNotContain('\n', e.Message);
                refused++;
            }
        }
        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }

    private static byte[] Png(int i) => PictureFile.EncodePng(Pictures[i]);

    private static void Sign(Span<byte> header)
    {
        header.Slice(148, 8).Fill((byte)' ');
        var sum = 0;
        foreach (var value in header) sum += value;
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(header[148..]);
    }

    private byte[] Jpeg(int i)
    {
        PictureFile.Save(Pictures[i], folder["picture.jpg"]);
        return File.ReadAllBytes(folder["picture.jpg"]);
    }

    private TarDataset Open(string name) => Assert.IsType<TarDataset>(PictureDatasets.Open(folder[name]));

    private void Write(string name, TarEntryFormat dialect, params (string Name, byte[] Content)[] members)
    {
        using var stream = File.Create(folder[name]);
        using var writer = new TarWriter(stream, dialect);
        foreach (var (member, content) in members)
        {
            TarEntry entry = dialect switch
            {
                TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, member),
                TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, member),
                TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, member),
                _ => new GnuTarEntry(TarEntryType.RegularFile, member),
            };
            entry.DataStream = new MemoryStream(content);
            writer.WriteEntry(entry);
        }
    }
}
