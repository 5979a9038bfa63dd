using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests.Datasets;

/// <summary>Folders, lists and the synthetic world as datasets; what is said when there is nothing to open.</summary>
public sealed class PictureDatasetsTests
{
    [Fact]
    public void FoldersAreReadToTheirDepthInOrdinalOrder()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["a/deep"]);
        Directory.CreateDirectory(folder[".hidden"]);
        string[] files = ["b.png", "B.JPG", "a/deep/1.webp", "a/2.bmp", "a-1.tiff", "notes.txt", ".x.png", ".hidden/y.png", "noextension"];
        foreach (var file in files) folder.Write(file, [1]);
        Directory.CreateSymbolicLink(folder["a/loop"], folder.Root);
        var dataset = PictureDatasets.Open(folder.Root);
        Assert.IsType<FolderDataset>(dataset);
        // '-' comes before '/', and capitals before small letters.
        Assert.Equal(
            new[] { "B.JPG", "a-1.tiff", "a/2.bmp", "a/deep/1.webp", "b.png" },
            Enumerable.Range(0, (int)dataset.Count).Select(i => Path.GetRelativePath(folder.Root, dataset.NameOf(i))));
        Assert.Contains(folder["b.png"], Assert.Throws<DataException>(() => dataset.Load(4)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Load(5));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.NameOf(-1));
    }

    [Fact]
    public void ListsNameFilesFromTheirFolder()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["pictures"]);
        var picture = TestPictures.Hashed(5, 4);
        PictureFile.Save(picture, folder["pictures/one.png"]);
        PictureFile.Save(picture, folder["two.png"]);
        File.WriteAllText(folder["list.txt"], $"# mine\r\n\r\n  pictures/one.png  \r\n{folder["two.png"]}\r\npictures/one.png");
        var dataset = PictureDatasets.Open(folder["list.txt"]);
        Assert.Equal(3, dataset.Count);
        Assert.Equal(folder["two.png"], dataset.NameOf(1));
        Assert.Equal(picture.Rgb, dataset.Load(2).Rgb);
    }

    [Fact]
    public void WhatCannotBeOpenedIsNamed()
    {
        using var folder = new TemporaryFolder();
        string Message(string name) => Assert.Throws<DataException>(() => PictureDatasets.Open(folder[name])).Message;

        Assert.Contains("\"shapes\"", Message("nothing"));
        Directory.CreateDirectory(folder["empty"]);
        Assert.Contains("empty", Message("empty"));
        Assert.Contains(".png, .jpg", Message("empty"));
        Directory.CreateDirectory(folder["texts"]);
        folder.Write("texts/a.txt", [1]);
        folder.Write("texts/b", [1]);
        Assert.Contains("none of the 2 files", Message("texts"));
        Assert.Contains(".avif, .bmp", Message("texts"));
        folder.Write("one.png", [1]);
        Assert.Contains("not a dataset", Message("one.png"));
        File.WriteAllText(folder["list"], "one.png\n\nmissing.png\nother.png\n");
        var missing = Message("list");
        Assert.Contains($"{folder["list"]}, line 3: there is no file {folder["missing.png"]}", missing);
        Assert.Contains("1 more", missing);
        File.WriteAllText(folder["blank"], "# nothing\n\n");
        Assert.Contains("names no picture", Message("blank"));
        folder.Write("binary", [0x7F, 0x45, 0, 1]);
        Assert.Contains("not text", Message("binary"));
    }

    [Fact]
    public void ShapesAreScenesWithCaptions()
    {
        var dataset = Assert.IsType<ShapesDataset>(PictureDatasets.Open("shapes", seed: 6, shapesCount: 10));
        Assert.Equal(10, dataset.Count);
        Assert.Equal(ShapesWorld.Picture(6, ShapesSplit.Train, 9).Rgb, dataset.Load(9).Rgb);
        Assert.Equal(dataset.Caption(3, 1), dataset.Caption(3, 1));
        Assert.True(Enumerable.Range(0, 20).Select(v => dataset.Caption(3, (ulong)v)).Distinct().Count() > 5);
        Assert.Contains("scene 3", dataset.NameOf(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Load(10));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Caption(-1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShapesDataset(1, ShapesSplit.Train, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShapesDataset(1, ShapesSplit.Train, 8, new ShapesLesson(ShapesWorld.LargestFamily + 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShapesDataset(1, ShapesSplit.Train, 8, new ShapesLesson(2, double.NaN)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShapesDataset(1, ShapesSplit.Train, 8, new ShapesLesson(2, Partial: double.NaN)));

        var (train, validation) = dataset.Split(0.1);
        Assert.Same(dataset, train);
        Assert.Equal((ShapesSplit.Validation, 1L), (Assert.IsType<ShapesDataset>(validation).Split, validation!.Count));
    }

    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(2, 0.001)]
    [InlineData(2, 0.999)]
    [InlineData(3, 0.1)]
    [InlineData(5000, 0.1)]
    [InlineData(5000, 0)]
    public void PartsAreDisjointAndWhole(int count, double share)
    {
        var (train, validation) = new NumberedDataset(count).Split(share);
        var names = Names(train).Concat(validation is null ? [] : Names(validation)).Order(StringComparer.Ordinal);
        Assert.Equal(Names(new NumberedDataset(count)).Order(StringComparer.Ordinal), names);
        Assert.Equal(count < 2 || share == 0, validation is null);
        Assert.True(train.Count >= 1 && validation is not { Count: < 1 });
        // Six deviations of a binomial count.
        if (count == 5000 && share > 0) Assert.InRange(validation!.Count, 500 - 6 * 21.3, 500 + 6 * 21.3);
        Assert.Equal(Names(train), Names(new NumberedDataset(count).Split(share).Train));
        Assert.Equal(NumberedDataset.Number(train.Load(0)).ToString(), train.NameOf(0));

        static IEnumerable<string> Names(IPictureDataset part) => Enumerable.Range(0, (int)part.Count).Select(i => part.NameOf(i)).ToList();
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void SharesAreLessThanOne(double share) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new NumberedDataset(5).Split(share));
}
