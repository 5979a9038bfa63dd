using ClipGen.Testing;

namespace ClipGen.Data.Tests;

/// <summary>Mutated files: a picture or a <see cref="DataException"/>, nothing else.</summary>
public sealed class PictureFuzzTests
{
    [Fact]
    public void MutatedPicturesOnlyEndInDataErrors()
    {
        using var folder = new TemporaryFolder();
        var picture = TestPictures.Smooth(24, 18);
        var texts = new Dictionary<string, string> { ["prompt"] = "caf\u00E9 \u732B", ["seed"] = "1" };
        foreach (var name in new[] { "s.png", "s.jpg", "s.webp" }) PictureFile.Save(picture, folder[name], texts);
        PictureFile.SaveGif([picture, picture], 100, folder["s.gif"]);
        folder.Write("s.bmp", Bitmaps.Bgr24(picture));
        folder.Write("p.bmp", Bitmaps.Paletted4().File);
        string[] golden = ["palette4.png", "interlaced.png", "rgb16.png", "many_idat.png", "jpeg_progressive444.jpg", "jpeg420_odd.jpg"];
        string[] pillow = ["rgb.tiff", "p.tiff", "cmyk.tiff", "rgba.webp"];
        byte[][] seeds = [.. folder.Names.Select(n => File.ReadAllBytes(folder[n])), .. golden.Select(n => File.ReadAllBytes(RepositoryPaths.GoldenFile("images", "files", n))),
            .. pillow.Select(n => File.ReadAllBytes(Path.Combine(RepositoryPaths.Root, "tests", "ClipGen.Data.Tests", "Pillow", n)))];

        var random = new Random(5);
        int accepted = 0, refused = 0, read = 0;
        for (var i = 0; i < 3000; i++)
        {
            var bytes = (byte[])seeds[i % seeds.Length].Clone();
            // Half of the changes hit the headers, where they do most.
            for (var k = random.Next(1, 6); k > 0; k--)
                bytes[random.Next(random.Next(2) == 0 ? Math.Min(64, bytes.Length) : bytes.Length)] = (byte)random.Next(256);
            if (random.Next(6) == 0) bytes = bytes[..random.Next(bytes.Length)];
            var path = folder.Write("fuzz", bytes);
            try
            {
                Assert.True(PictureFile.Load(path).Rgb.Length > 0);
                accepted++;
            }
            catch (DataException e)
            {
                Assert.Contains(path, e.Message);
                Assert.DoesNotContain('\n', e.Message);
                refused++;
            }
            try
            {
                read += PictureFile.ReadMetadata(path).Count;
            }
            catch (DataException e)
            {
                Assert.Contains(path, e.Message);
            }
        }
        Assert.True(accepted > 100 && refused > 100 && read > 100, $"{accepted} accepted, {refused} refused, {read} texts: one side was hardly tried");
    }

    [Fact]
    public void MutatedExifBlocksOnlyEndInDataErrors()
    {
        var seed = ExifComment.Write(new Dictionary<string, string> { ["a"] = "\u732B", ["b"] = "x" });
        var random = new Random(6);
        int accepted = 0, refused = 0;
        for (var i = 0; i < 20000; i++)
        {
            var bytes = (byte[])seed.Clone();
            for (var k = random.Next(1, 4); k > 0; k--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (random.Next(6) == 0) bytes = bytes[..random.Next(bytes.Length)];
            try
            {
                Assert.NotNull(ExifComment.Read(bytes));
                accepted++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }
        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }
}
