using System.Buffers.Binary;
using System.Text;

namespace ClipGen.Data.Tests;

/// <summary>Writing and reading back: pixels, texts, animations, and what must not be left behind.</summary>
public sealed class PictureFileTests
{
    private static readonly Dictionary<string, string> Texts = new()
    {
        ["prompt"] = "a \u732B on a sofa, caf\u00E9 \U0001F600",
        ["seed"] = "42",
        ["settings"] = "top-k 500\ntop-p 0.95\\n: \"quoted\" = {a: b}\r\n",
        ["empty"] = "",
    };

    [Theory]
    [InlineData("a.png")]
    [InlineData("a.jpg")]
    [InlineData("A.JPEG")]
    [InlineData("a.webp")]
    public void SavedTwiceIsTheSameAndTextsSurvive(string name)
    {
        using var folder = new TemporaryFolder();
        var picture = TestPictures.Smooth(67, 41);
        PictureFile.Save(picture, folder[name], Texts);
        var first = File.ReadAllBytes(folder[name]);
        PictureFile.Save(picture, folder[name], Texts);
        Assert.Equal(first, File.ReadAllBytes(folder[name]));
        Assert.Equal([name], folder.Names);
        Assert.Equal(Texts.OrderBy(e => e.Key), PictureFile.ReadMetadata(folder[name]).OrderBy(e => e.Key));

        var loaded = PictureFile.Load(folder[name]);
        Assert.Equal((67, 41), (loaded.Width, loaded.Height));
        if (name.EndsWith(".png", StringComparison.Ordinal)) Assert.Equal(picture.Rgb, loaded.Rgb);
        // Quality 95 keeps a smooth picture within a few levels; WebP halves the colour resolution besides.
        else AssertNear(picture, loaded, name.EndsWith(".webp", StringComparison.Ordinal) ? 3 : 1.5);

        // Without texts there are none, and the pixels are the same.
        PictureFile.Save(picture, folder[name]);
        Assert.Empty(PictureFile.ReadMetadata(folder[name]));
        Assert.Equal(loaded.Rgb, PictureFile.Load(folder[name]).Rgb);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 300)]
    [InlineData(513, 2)]
    public void PngKeepsOddSizes(int width, int height)
    {
        using var folder = new TemporaryFolder();
        var picture = TestPictures.Hashed(width, height);
        PictureFile.Save(picture, folder["p.png"]);
        Assert.Equal(picture.Rgb, PictureFile.Load(folder["p.png"]).Rgb);
    }

    [Fact]
    public void AsciiTextsArePlainChunksThatOtherProgramsRead()
    {
        using var folder = new TemporaryFolder();
        PictureFile.Save(TestPictures.Smooth(4, 4), folder["p.png"], new Dictionary<string, string> { ["prompt"] = "a cat" });
        var file = File.ReadAllBytes(folder["p.png"]);
        var at = file.AsSpan().IndexOf("tEXtprompt\0a cat"u8);
        Assert.Equal(8 + 25 + 4, at); // right after the header
        Assert.Equal(12u, BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at - 4)));
    }

    [Fact]
    public void OtherProgramsTextsAreRead()
    {
        using var folder = new TemporaryFolder();
        // "many_idat.png" comes from another encoder and has a text chunk.
        var texts = PictureFile.ReadMetadata(Testing.RepositoryPaths.GoldenFile("images", "files", "many_idat.png"));
        Assert.NotEmpty(texts);
        Assert.Empty(PictureFile.ReadMetadata(folder.Write("note.txt", Encoding.ASCII.GetBytes("hello there"))));
    }

    [Fact]
    public void NulCannotStandInPngTexts()
    {
        using var folder = new TemporaryFolder();
        PictureFile.Save(TestPictures.Smooth(4, 4), folder["p.png"], new Dictionary<string, string> { ["prompt"] = "a\0b" });
        Assert.Equal("a\uFFFDb", PictureFile.ReadMetadata(folder["p.png"])["prompt"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" a")]
    [InlineData("a:b")]
    [InlineData("caf\u00E9")]
    [InlineData("a\nb")]
    public void BadKeysAreRefused(string key)
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<ArgumentException>(() => PictureFile.Save(TestPictures.Smooth(4, 4), folder["p.png"], new Dictionary<string, string> { [key] = "x" }));
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void FailingSavesLeaveNothing()
    {
        using var folder = new TemporaryFolder();
        var picture = TestPictures.Smooth(8, 8);
        Directory.CreateDirectory(folder["folder.png"]);
        var huge = new Dictionary<string, string> { ["prompt"] = new string('x', 70_000) };
        foreach (var (path, texts) in new[]
        {
            (folder["p.bmp"], null), (folder["p"], null), (folder["none/p.png"], null), (folder["folder.png"], null), (folder["p.jpg"], huge), (folder["a\0b.png"], null),
        })
        {
            var error = Assert.Throws<DataException>(() => PictureFile.Save(picture, path, texts));
            Assert.DoesNotContain('\n', error.Message);
            Assert.Equal(["folder.png"], folder.Names);
        }
        Assert.Empty(Directory.GetFileSystemEntries(folder["folder.png"]));
    }

    [Fact]
    public void FailingSaveKeepsWhatWasThere()
    {
        using var folder = new TemporaryFolder();
        folder.Write("p.jpg", [1, 2, 3]);
        Assert.Throws<DataException>(() => PictureFile.Save(TestPictures.Smooth(8, 8), folder["p.jpg"], new Dictionary<string, string> { ["k"] = new string('x', 70_000) }));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(folder["p.jpg"]));
        Assert.Equal(["p.jpg"], folder.Names);
    }

    [Fact]
    public void MissingFilesAndFoldersAreNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no such file", Assert.Throws<DataException>(() => PictureFile.Load(folder["none.png"])).Message);
        Assert.Contains("folder", Assert.Throws<DataException>(() => PictureFile.Load(folder.Root)).Message);
        Assert.Contains("empty", Assert.Throws<DataException>(() => PictureFile.Load(folder.Write("e.png", []))).Message);
        Assert.Throws<DataException>(() => PictureFile.ReadMetadata(folder["none.png"]));
    }

    [Fact]
    public void AFileThatChangedIsReadAgain()
    {
        using var folder = new TemporaryFolder();
        PictureFile.Save(TestPictures.Hashed(5, 5), folder["p.png"]);
        Assert.Equal(5, PictureFile.Load(folder["p.png"]).Width);
        PictureFile.Save(TestPictures.Hashed(6, 5), folder["p.png"]);
        Assert.Equal(6, PictureFile.Load(folder["p.png"]).Width);
    }

    [Fact]
    public void NamesWithBracketsAreNames()
    {
        // libvips takes "[...]" at the end of a name for options; here a name is a name.
        using var folder = new TemporaryFolder();
        PictureFile.Save(TestPictures.Hashed(3, 2), folder["p[page=2].png"]);
        Assert.Equal(["p[page=2].png"], folder.Names);
        Assert.Equal(3, PictureFile.Load(folder["p[page=2].png"]).Width);
    }

    [Fact]
    public void AnimationsKeepFramesDelaysAndOrder()
    {
        using var folder = new TemporaryFolder();
        var frames = new byte[] { 0, 80, 80, 255 }.Select(v =>
        {
            var frame = new Picture(20, 10);
            frame.Rgb.AsSpan().Fill(v);
            return frame;
        }).ToList();
        PictureFile.SaveGif(frames, 120, folder["a.gif"]);
        var bytes = File.ReadAllBytes(folder["a.gif"]);
        PictureFile.SaveGif(frames, 120, folder["a.gif"]);
        Assert.Equal(bytes, File.ReadAllBytes(folder["a.gif"]));
        Assert.Equal(["a.gif"], folder.Names);
        Assert.All(PictureFile.Load(folder["a.gif"]).Rgb, v => Assert.Equal(0, v)); // the first frame

        // Each frame has a graphic control extension with its delay in hundredths of a second.
        var delays = 0;
        for (var i = 0; i + 8 <= bytes.Length; i++)
            if (bytes.AsSpan(i, 3).SequenceEqual((ReadOnlySpan<byte>)[0x21, 0xF9, 4]) && BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(i + 4)) == 12)
                delays++;
        Assert.Equal(4, delays);
        Assert.True(bytes.AsSpan().IndexOf("NETSCAPE2.0"u8) > 0, "the animation does not repeat");

        Assert.Throws<ArgumentException>(() => PictureFile.SaveGif([], 100, folder["b.gif"]));
        Assert.Throws<ArgumentException>(() => PictureFile.SaveGif([new Picture(2, 2), new Picture(3, 2)], 100, folder["b.gif"]));
        Assert.Throws<DataException>(() => PictureFile.SaveGif(frames, 100, folder["none/b.gif"]));
    }

    [Fact]
    public void BitmapsAreRead()
    {
        using var folder = new TemporaryFolder();
        var picture = TestPictures.Hashed(5, 3);
        Assert.Equal(picture.Rgb, PictureFile.Load(folder.Write("b.bmp", Bitmaps.Bgr24(picture))).Rgb);
        var (paletted, expected) = Bitmaps.Paletted4();
        Assert.Equal(expected.Rgb, PictureFile.Load(folder.Write("p.bmp", paletted)).Rgb);
        Assert.Throws<DataException>(() => PictureFile.Load(folder.Write("c.bmp", Bitmaps.Bgr24(picture)[..^1])));
    }

    [Fact]
    public void DocumentsAndScriptsAreNoPictures()
    {
        using var folder = new TemporaryFolder();
        foreach (var text in new[] { "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>", "%PDF-1.4\n", "P3\n1 1\n255\n1 2 3\n", "push graphic-context\n" })
            Assert.Contains("it is not PNG", Assert.Throws<DataException>(() => PictureFile.Load(folder.Write("x.png", Encoding.ASCII.GetBytes(text)))).Message);
    }

    private static void AssertNear(Picture expected, Picture found, double bound)
    {
        var mean = expected.Rgb.Zip(found.Rgb, (a, b) => Math.Abs(a - b)).Average();
        Assert.True(mean < bound, $"mean difference {mean}");
    }
}
