using ClipGen.Data.Datasets;
using ClipGen.Data.Records;

namespace ClipGen.Data.Tests.Records;

/// <summary>Packing: the same pictures come out, byte by byte where they were stored.</summary>
public sealed class DatasetWriterTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("out.ffr")]
    [InlineData("out.tar")]
    public void StoredPicturesKeepTheirBytes(string name)
    {
        Directory.CreateDirectory(folder["in"]);
        var picture = TestPictures.Smooth(9, 7);
        foreach (var file in new[] { "in/a.jpg", "in/b.png", "in/c.webp" }) PictureFile.Save(picture, folder[file]);
        folder.Write("in/d.png", [1, 2, 3]);
        folder.Write("in/e.bmp", Bitmaps.Bgr24(picture));
        var source = new FolderDataset(folder["in"]);
        var told = 0;
        DatasetWriter.Write(source, 1, 4, folder[name], () => told++, TestContext.Current.CancellationToken);
        var first = File.ReadAllBytes(folder[name]);
        DatasetWriter.Write(source, 1, 4, folder[name], () => { }, TestContext.Current.CancellationToken);
        Assert.Equal(first, File.ReadAllBytes(folder[name]));
        var packed = Assert.IsType<IStoredDataset>(PictureDatasets.Open(folder[name]), exactMatch: false);
        Assert.Equal((4, 4L), (told, packed.Count));
        for (var i = 0; i < 4; i++) Assert.Equal(source.Stored(i + 1), packed.Stored(i));
        // What can't be read keeps its place, and is named where it is.
        Assert.Contains(packed.NameOf(2), Assert.Throws<DataException>(() => packed.Load(2)).Message);
        (packed as IDisposable)?.Dispose();
    }

    [Fact]
    public void ScenesBecomePngs()
    {
        var scenes = new ShapesDataset(4, ClipGen.Data.Shapes.ShapesSplit.Train, 3);
        DatasetWriter.Write(scenes, 0, 3, folder["scenes.ffr"], () => { }, TestContext.Current.CancellationToken);
        using var packed = new FFRecordDataset(folder["scenes.ffr"]);
        for (var i = 0; i < 3; i++) Assert.Equal(scenes.Load(i).Rgb, packed.Load(i).Rgb);
    }

    [Fact]
    public void NothingIsLeftOfWhatFails()
    {
        var scenes = new ShapesDataset(4, ClipGen.Data.Shapes.ShapesSplit.Train, 3);
        using var stop = new CancellationTokenSource();
        foreach (var name in new[] { "a.ffr", "a.tar" })
        {
            using var source = new CancellationTokenSource();
            Assert.Throws<OperationCanceledException>(() => DatasetWriter.Write(scenes, 0, 3, folder[name], source.Cancel, source.Token));
        }
        Assert.Throws<DataException>(() => DatasetWriter.Write(scenes, 0, 3, folder["a.zip"], () => { }, stop.Token));
        File.WriteAllText(folder["list.txt"], "gone.png");
        File.WriteAllBytes(folder["gone.png"], [1]);
        var list = new ListDataset(folder["list.txt"]);
        File.Delete(folder["gone.png"]);
        Assert.Contains("gone.png", Assert.Throws<DataException>(() => DatasetWriter.Write(list, 0, 1, folder["b.ffr"], () => { }, stop.Token)).Message);
        Assert.Equal(["list.txt"], folder.Names);
    }
}
