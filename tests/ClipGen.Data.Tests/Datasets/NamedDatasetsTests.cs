using ClipGen.Data.Datasets;
using ClipGen.Data.Records;

namespace ClipGen.Data.Tests.Datasets;

/// <summary>The layouts that the recipes' datasets are published in.</summary>
public sealed class NamedDatasetsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Picture picture = TestPictures.Hashed(6, 5);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void CocoIsOrderedByIds()
    {
        Directory.CreateDirectory(folder["train2017"]);
        Directory.CreateDirectory(folder["annotations"]);
        foreach (var id in new[] { 581921, 9, 25, 100000 }) PictureFile.Save(picture, folder[$"train2017/{id:D12}.jpg"]);
        var split = NamedDatasets.Open("coco", folder.Root);
        Assert.Null(split.Validation);
        Assert.Equal([9, 25, 100000, 581921], Enumerable.Range(0, (int)split.Train.Count).Select(i => int.Parse(Path.GetFileNameWithoutExtension(split.Train.NameOf(i)))));
        Directory.CreateDirectory(folder["val2017.ffr"]);
        FFRecordFile.Write(folder["val2017.ffr/00000.ffr"], 2, [PictureFile.EncodePng(picture), PictureFile.EncodePng(picture)]);
        Assert.Equal(2, NamedDatasets.Open("coco", folder.Root).Validation!.Count);
    }

    [Fact]
    public void ImageNetMayBeFoldersOrTheArchives()
    {
        Directory.CreateDirectory(folder["train/n01"]);
        PictureFile.Save(picture, folder["picture.png"]);
        File.Copy(folder["picture.png"], folder["train/n01/n01_1.JPEG"]);
        DatasetWriter.Write(new FolderDataset(folder["train"]), 0, 1, folder["ILSVRC2012_img_val.tar"], () => { }, TestContext.Current.CancellationToken);
        var split = NamedDatasets.Open("imagenet", folder.Root);
        Assert.IsType<FolderDataset>(split.Train);
        Assert.IsType<TarDataset>(split.Validation);
        Assert.Equal(picture.Rgb, split.Validation.Load(0).Rgb);
        Directory.Delete(folder["train"], recursive: true);
        File.Copy(folder["ILSVRC2012_img_val.tar"], folder["ILSVRC2012_img_train.tar"]);
        Assert.IsType<TarDataset>(NamedDatasets.Open("imagenet", folder.Root).Train);
    }

    [Fact]
    public void ConceptualCaptionsMayBeATableOrShards()
    {
        PictureFile.Save(picture, folder["1.png"]);
        DatasetWriter.Write(new FolderDataset(folder.Root), 0, 1, folder["cc3m-train-0000.tar"], () => { }, TestContext.Current.CancellationToken);
        Assert.IsType<TarDataset>(NamedDatasets.Open("googlecc", folder.Root).Train);
        File.WriteAllText(folder["Train_GCC.tsv"], "title\tfilepath\na picture\t1.png\nnobody has it\tgone.png\n");
        File.WriteAllText(folder["Val_GCC.csv"], "filepath\ttitle\r\n1.png\ta picture\r\n");
        var split = NamedDatasets.Open("googlecc", folder.Root);
        Assert.Equal((2L, 1L), (split.Train.Count, split.Validation!.Count));
        Assert.Equal(picture.Rgb, split.Train.Load(0).Rgb);
        // Files that nobody could fetch are found out one by one, and passed over in a training.
        Assert.Contains("gone.png", Assert.Throws<DataException>(() => split.Train.Load(1)).Message);
    }

    [Theory]
    [InlineData("url\ttitle\nx\ty\n", "no column \"filepath\"")]
    [InlineData("title\tfilepath\nonly\n", "line 2")]
    [InlineData("title\tfilepath\n", "names no picture")]
    [InlineData("", "names no picture")]
    [InlineData("\0", "not text")]
    public void TablesThatAreNoneAreNamed(string table, string complaint)
    {
        File.WriteAllText(folder["t-train.tsv"], table);
        var message = Assert.Throws<DataException>(() => NamedDatasets.Open("googlecc", folder.Root)).Message;
        Assert.Contains(complaint, message);
        Assert.Contains("t-train.tsv", message);
    }

    [Fact]
    public void WhatIsLookedForIsSaid()
    {
        Assert.Contains("train2017", Assert.Throws<DataException>(() => NamedDatasets.Open("coco", folder.Root)).Message);
        Assert.Contains("ILSVRC2012_img_train.tar", Assert.Throws<DataException>(() => NamedDatasets.Open("imagenet", folder.Root)).Message);
        Assert.Contains("filepath", Assert.Throws<DataException>(() => NamedDatasets.Open("googlecc", folder.Root)).Message);
        Assert.Contains("no such folder", Assert.Throws<DataException>(() => NamedDatasets.Open("coco", folder["none"])).Message);
    }
}
