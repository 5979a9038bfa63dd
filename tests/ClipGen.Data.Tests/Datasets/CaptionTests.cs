using System.Formats.Tar;
using System.Text;
using ClipGen.Data.Datasets;
using ClipGen.Data.Records;

namespace ClipGen.Data.Tests.Datasets;

/// <summary>Sentences about pictures, wherever a format keeps them.</summary>
public sealed class CaptionTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Picture picture = TestPictures.Hashed(6, 5);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TextFilesBesidePictures()
    {
        Directory.CreateDirectory(folder["in"]);
        foreach (var name in new[] { "a.png", "b.png", "in/c.png", "d.png" }) PictureFile.Save(picture, folder[name]);
        File.WriteAllText(folder["a.txt"], "\uFEFFa red house\r\n\r\n  and another sentence \r\n");
        File.WriteAllText(folder["in/c.txt"], "a green tree");
        File.WriteAllText(folder["d.txt"], " \n");
        var captioned = Assert.IsType<CaptionedPictures>(PictureDatasets.OpenCaptioned(folder.Root));
        Assert.Equal((2L, 2L), (captioned.Count, captioned.LeftOut));
        Assert.Equal([folder["a.png"], folder["in/c.png"]], [captioned.NameOf(0), captioned.NameOf(1)]);
        Assert.Equal(picture.Rgb, captioned.Load(1).Rgb);
        // Epoch after epoch.
        Assert.Equal(["a red house", "and another sentence", "a red house"], Enumerable.Range(0, 3).Select(epoch => captioned.Caption(0, (ulong)epoch)));
        Assert.Equal("a green tree", captioned.Caption(1, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => captioned.Caption(2, 0));
        // Others take all four pictures.
        Assert.Equal(4, PictureDatasets.Open(folder.Root).Count);

        File.WriteAllText(folder["list"], "d.png\na.png\n");
        Assert.Equal("a red house", PictureDatasets.OpenCaptioned(folder["list"]).Caption(0, 0));
    }

    [Fact]
    public void PartsKeepTheirSentences()
    {
        for (var n = 0; n < 20; n++)
        {
            PictureFile.Save(picture, folder[$"{n:D2}.png"]);
            File.WriteAllText(folder[$"{n:D2}.txt"], $"picture {n:D2}");
        }
        var split = PictureDatasets.OpenCaptioned(folder.Root).Split(0.3);
        var seen = new List<string>();
        foreach (var part in new[] { split.Train, split.Validation! })
        {
            var captioned = Assert.IsAssignableFrom<ICaptionedDataset>(part);
            for (var n = 0L; n < captioned.Count; n++)
            {
                Assert.Equal($"picture {Path.GetFileNameWithoutExtension(captioned.NameOf(n))}", captioned.Caption(n, 0));
                seen.Add(captioned.Caption(n, 0));
            }
        }
        Assert.Equal(20, seen.Distinct().Count());
    }

    [Fact]
    public void ColumnsOfTables()
    {
        PictureFile.Save(picture, folder["1.png"]);
        PictureFile.Save(picture, folder["2.png"]);
        File.WriteAllText(folder["Train_GCC.tsv"], "title\tfilepath\n a picture \t1.png\n\t2.png\n");
        var captioned = Assert.IsType<CaptionedPictures>(NamedDatasets.OpenCaptioned("googlecc", folder.Root).Train);
        Assert.Equal((1L, 1L), (captioned.Count, captioned.LeftOut));
        Assert.Equal("a picture", captioned.Caption(0, 3));
        // The best name of a column counts, and a short line has no sentence.
        File.WriteAllText(folder["Train_GCC.tsv"], "filepath\ttitle\tCaption\n1.png\twrong\tright\n2.png\twrong\n");
        captioned = Assert.IsType<CaptionedPictures>(NamedDatasets.OpenCaptioned("googlecc", folder.Root).Train);
        Assert.Equal((1L, "right"), (captioned.Count, captioned.Caption(0, 0)));
    }

    [Fact]
    public void MembersOfTarArchives()
    {
        var png = PictureFile.EncodePng(picture);
        byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
        Write("a.tar", ("1.txt", Text("before the picture\nanother")), ("1.png", png), ("2.png", png), ("2.json", Text("""{"width":3,"caption":" behind it "}""")),
            ("3.json", Text("""{"caption":"not this"}""")), ("3.txt", Text("but this")), ("3.depth.png", png), ("3.png", png), ("4.png", png), ("5.txt", Text("no picture")), ("6.png", png), ("6.json", Text("""{"caption":["one","two"]}""")), ("7.png", png), ("7.json", Text("[1]")));
        var captioned = Assert.IsType<CaptionedPictures>(PictureDatasets.OpenCaptioned(folder["a.tar"]));
        Assert.Equal(["1.png", "2.png", "3.png", "6.png"], Enumerable.Range(0, (int)captioned.Count).Select(n => captioned.NameOf(n).Split(", ")[1]));
        Assert.Equal(["before the picture", "behind it", "but this", "one"], Enumerable.Range(0, 4).Select(n => captioned.Caption(n, 0)));
        Assert.Equal(["another", "two"], [captioned.Caption(0, 1), captioned.Caption(3, 1)]);
        Write("bad.tar", ("1.png", png), ("1.json", Text("{")));
        Assert.Contains("bad.tar, 1.json: is no JSON", Assert.Throws<DataException>(() => PictureDatasets.OpenCaptioned(folder["bad.tar"])).Message);
        Write("binary.tar", ("1.png", png), ("1.txt", [0xFF, 0xFE, 0]));
        Assert.Contains("binary.tar, 1.txt: is no text", Assert.Throws<DataException>(() => PictureDatasets.OpenCaptioned(folder["binary.tar"])).Message);
    }

    [Fact]
    public void RecordsOfConceptualCaptions()
    {
        // {"caption": "a picture", "image_bytes": ...}, as Python pickles it.
        var sample = Convert.FromBase64String("gASVMwAAAAAAAAB9lCiMB2NhcHRpb26UjAlhIHBpY3R1cmWUjAtpbWFnZV9ieXRlc5RDB0BAUE5HQECUdS4=");
        FFRecordFile.Write(folder["0.ffr"], 2, [sample, PictureFile.EncodePng(picture)]);
        var captioned = Assert.IsType<CaptionedPictures>(PictureDatasets.OpenCaptioned(folder["0.ffr"]));
        Assert.Equal((1L, 1L, "a picture"), (captioned.Count, captioned.LeftOut, captioned.Caption(0, 0)));
    }

    [Fact]
    public void AnnotationsOfCoco()
    {
        Directory.CreateDirectory(folder["train2017"]);
        Directory.CreateDirectory(folder["val2017.ffr"]);
        Directory.CreateDirectory(folder["annotations"]);
        foreach (var id in new[] { 9, 25, 30 }) PictureFile.Save(picture, folder[$"train2017/{id:D12}.jpg"]);
        const string train = """
            {"info":{},"images":[{"id":25,"file_name":"000000000025.jpg"},{"id":9,"file_name":"000000000009.jpg"}],
             "annotations":[{"image_id":9,"id":1,"caption":"nine"},{"image_id":25,"id":2,"caption":"twenty-five"},{"image_id":9,"id":3,"caption":"nine again\n"},{"image_id":77,"id":4,"caption":"of none"}]}
            """;
        File.WriteAllText(folder["annotations/captions_train2017.json"], train);
        // Records lie in the order of the ids.
        FFRecordFile.Write(folder["val2017.ffr/0.ffr"], 2, [PictureFile.EncodePng(picture), PictureFile.EncodePng(picture)]);
        File.WriteAllText(folder["annotations/captions_val2017.json"], train);
        var split = NamedDatasets.OpenCaptioned("coco", folder.Root);
        var files = Assert.IsType<CaptionedPictures>(split.Train);
        Assert.Equal((2L, 1L), (files.Count, files.LeftOut));
        Assert.Equal(["nine", "nine again", "twenty-five"], [files.Caption(0, 0), files.Caption(0, 1), files.Caption(1, 1)]);
        var records = Assert.IsType<CaptionedPictures>(split.Validation);
        Assert.Equal(["nine", "twenty-five"], [records.Caption(0, 0), records.Caption(1, 0)]);

        FFRecordFile.Write(folder["val2017.ffr/1.ffr"], 1, [PictureFile.EncodePng(picture)]);
        Assert.Contains("do not belong together", Assert.Throws<DataException>(() => NamedDatasets.OpenCaptioned("coco", folder.Root)).Message);
        foreach (var damaged in new[] { "", "{", "[]", "{\"images\":[]}", "{\"images\":[{\"id\":\"9\"}],\"annotations\":[]}", "{\"images\":{},\"annotations\":[]}" })
        {
            File.WriteAllText(folder["annotations/captions_train2017.json"], damaged);
            Assert.Contains("captions_train2017.json: is not COCO's", Assert.Throws<DataException>(() => NamedDatasets.OpenCaptioned("coco", folder.Root)).Message);
        }
        File.Delete(folder["annotations/captions_train2017.json"]);
        Assert.Contains("there is no such file", Assert.Throws<DataException>(() => NamedDatasets.OpenCaptioned("coco", folder.Root)).Message);
    }

    [Fact]
    public void NoSentencesAtAll()
    {
        PictureFile.Save(picture, folder["a.png"]);
        Assert.Contains("expected NAME.txt beside NAME.jpg", Assert.Throws<DataException>(() => PictureDatasets.OpenCaptioned(folder.Root)).Message);
        File.WriteAllBytes(folder["a.txt"], new byte[(1 << 20) + 1]);
        Assert.Contains("a.txt: has 1,048,577 bytes", Assert.Throws<DataException>(() => PictureDatasets.OpenCaptioned(folder.Root)).Message);
        Assert.IsType<ShapesDataset>(PictureDatasets.OpenCaptioned("shapes"));
    }

    [Fact]
    public void TheMostFrequentWords()
    {
        var tokenizer = WordTokenizer.Of(["A red house, a red tree", "a HOUSE of 2"], 4);
        Assert.Equal(["a", "house", "red", "2"], tokenizer.Words);
        Assert.Throws<DataException>(() => WordTokenizer.Of(["!"], 4));
    }

    private void Write(string name, params (string Name, byte[] Data)[] members)
    {
        using var writer = new TarWriter(File.Create(folder[name]), TarEntryFormat.Ustar);
        foreach (var (member, data) in members) writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, member) { DataStream = new MemoryStream(data) });
    }
}
