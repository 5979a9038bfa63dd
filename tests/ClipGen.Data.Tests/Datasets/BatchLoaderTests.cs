using System.Diagnostics;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests.Datasets;

/// <summary>Prefetching: the same batches however they are made, and what happens to damaged pictures.</summary>
public sealed class BatchLoaderTests
{
    // Far more than a wait may take on a busy machine; reached only when something hangs.
    private static readonly TimeSpan Hanging = TimeSpan.FromSeconds(60);

    private static readonly PictureCrop Crop = PictureCrop.Random(4, 1);

    [Fact]
    public void ThreadsAndDepthChangeNothing()
    {
        var plan = new BatchPlan(23, 4, 3);
        string[] Batches(int threads, int depth, long epoch = 0, long step = 0, int skip = 0)
        {
            var dataset = new NumberedDataset(23, 4, 9) { Damaged = [2, 3, 11, 22], Delay = 2 };
            using var loader = new BatchLoader(dataset, plan, Crop, epoch, step, threads, depth);
            return [.. Enumerable.Range(0, 13 - skip).Select(_ => Text(loader.Next(TestContext.Current.CancellationToken)))];
        }

        var expected = Batches(1, 1);
        Assert.Distinct(expected);
        Assert.Equal(expected, Batches(1, 4));
        Assert.Equal(expected, Batches(4, 4));
        Assert.Equal(expected, Batches(3, 16));
        Assert.Equal(expected, Batches(0, 2));
        // Five steps an epoch: the eighth batch is step 2 of epoch 1.
        Assert.Equal(expected[7..], Batches(4, 4, epoch: 1, step: 2, skip: 7));
    }

    [Fact]
    public void BatchesAreThePlans()
    {
        var plan = new BatchPlan(10, 3, 8);
        using var loader = new BatchLoader(new NumberedDataset(10), plan, Crop);
        for (var n = 0; n < 7; n++)
        {
            var batch = loader.Next(TestContext.Current.CancellationToken);
            Assert.Equal((n / 3, n % 3), (batch.Epoch, batch.Step));
            Assert.Equal(plan.Indices(n / 3, n % 3), batch.Indices);
            Assert.Equal(batch.Indices, batch.Pictures.Select(NumberedDataset.Number));
        }
        using var sequential = new BatchLoader(new NumberedDataset(5), BatchPlan.Sequential(5, 3), Crop);
        Assert.Equal([0, 1, 2], sequential.Next(TestContext.Current.CancellationToken).Indices);
        Assert.Equal([3, 4], sequential.Next(TestContext.Current.CancellationToken).Indices);
    }

    [Fact]
    public void DamagedPicturesAreReplacedCountedAndNamedOnce()
    {
        var reports = new List<string>();
        var dataset = new NumberedDataset(8) { Damaged = [2, 3, 7] };
        using var loader = new BatchLoader(dataset, BatchPlan.Sequential(8, 4), Crop, threads: 2, reportUnreadable: (_, why) => reports.Add(why));
        Assert.Equal([0, 1, 4, 4], loader.Next(TestContext.Current.CancellationToken).Indices);
        Assert.Equal(["2: damaged", "3: damaged"], reports);
        Assert.Equal(2, loader.UnreadableCount);
        Assert.Equal([4, 5, 6, 0], loader.Next(TestContext.Current.CancellationToken).Indices);
        for (var n = 0; n < 6; n++) loader.Next(TestContext.Current.CancellationToken);
        Assert.Equal(["2: damaged", "3: damaged", "7: damaged"], reports);
        Assert.Equal(3, loader.UnreadableCount);
    }

    [Fact]
    public void UnreadableFilesOfAFolderAreNamed()
    {
        using var folder = new TemporaryFolder();
        for (var i = 0; i < 4; i++) PictureFile.Save(TestPictures.Smooth(9 + i, 8), folder[$"{i}.png"]);
        folder.Write("2.png", [.. "no picture"u8]);
        PictureFile.Save(new Picture(3_000_000, 1), folder["4.png"]); // can be read, but not resized to a square of 256
        var reports = new List<string>();
        using var loader = new BatchLoader(new FolderDataset(folder.Root), BatchPlan.Sequential(5, 5), PictureCrop.Centre(256), reportUnreadable: (_, why) => reports.Add(why));
        Assert.Equal([0, 1, 3, 3, 0], loader.Next(TestContext.Current.CancellationToken).Indices);
        Assert.Equal(2, reports.Count);
        Assert.StartsWith($"{folder["2.png"]}: ", reports[0]);
        Assert.StartsWith($"{folder["4.png"]}: ", reports[1]);
    }

    [Fact]
    public void SetsOfDamagedPicturesFail()
    {
        using var loader = new BatchLoader(new NumberedDataset(3) { Damaged = [0, 1, 2] }, new BatchPlan(3, 2, 0), Crop);
        for (var n = 0; n < 2; n++)
        {
            var message = Assert.Throws<DataException>(() => loader.Next(TestContext.Current.CancellationToken)).Message;
            Assert.Contains("none of the 3 pictures", message);
            Assert.Contains("damaged", message);
        }
    }

    [Fact]
    public void OtherFailuresSurfaceInTheirTurn()
    {
        using var loader = new BatchLoader(new NumberedDataset(9) { Broken = 4 }, BatchPlan.Sequential(9, 3), Crop, threads: 3);
        Assert.Equal([0, 1, 2], loader.Next(TestContext.Current.CancellationToken).Indices);
        Assert.Equal("out of order", Assert.Throws<InvalidOperationException>(() => loader.Next(TestContext.Current.CancellationToken)).Message);
        Assert.Equal("out of order", Assert.Throws<InvalidOperationException>(() => loader.Next(TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public void LoadingStaysWithinItsDepth()
    {
        var dataset = new NumberedDataset(100);
        using var loader = new BatchLoader(dataset, BatchPlan.Sequential(100, 1), Crop, threads: 3, depth: 5);
        loader.Next(TestContext.Current.CancellationToken);
        Assert.True(SpinWait.SpinUntil(() => dataset.Loads == 6, Hanging), $"{dataset.Loads} pictures were loaded ahead");
        Thread.Sleep(50);
        Assert.Equal(6, dataset.Loads);
    }

    [Fact]
    public void WaitingEndsWhenCancelledOrDisposed()
    {
        var dataset = new NumberedDataset(6) { Delay = 400 };
        var watch = Stopwatch.StartNew();
        var loader = new BatchLoader(dataset, BatchPlan.Sequential(6, 6), Crop, threads: 1);
        using var soon = new CancellationTokenSource(20);
        Assert.Throws<OperationCanceledException>(() => loader.Next(soon.Token));
        Assert.Equal(6, loader.Next(TestContext.Current.CancellationToken).Pictures.Length);

        var waiting = Task.Run(() => loader.Next(CancellationToken.None), TestContext.Current.CancellationToken);
        Thread.Sleep(20);
        loader.Dispose();
        loader.Dispose();
        Assert.True(((IAsyncResult)waiting).AsyncWaitHandle.WaitOne(Hanging));
        Assert.IsType<ObjectDisposedException>(waiting.Exception?.InnerException);
        Assert.Throws<ObjectDisposedException>(() => loader.Next(CancellationToken.None));
        Assert.True(watch.Elapsed < Hanging, $"it took {watch.Elapsed}");
    }

    [Fact]
    public void ArgumentsAreChecked()
    {
        var dataset = new NumberedDataset(6);
        var plan = new BatchPlan(6, 2, 0);
        Assert.Throws<ArgumentException>(() => new BatchLoader(dataset, new BatchPlan(5, 2, 0), Crop));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchLoader(dataset, plan, Crop, step: 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchLoader(dataset, plan, Crop, epoch: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchLoader(dataset, plan, Crop, threads: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchLoader(dataset, plan, Crop, depth: 0));
    }

    [Fact]
    public void BatchesBecomeArraysAndSentences()
    {
        var dataset = new ShapesDataset(2, ShapesSplit.Train, 8);
        using var loader = new BatchLoader(dataset, new BatchPlan(8, 3, 1), PictureCrop.Random(64, 1), epoch: 2);
        var batch = loader.Next(TestContext.Current.CancellationToken);
        Assert.Equal(batch.Pictures.SelectMany(PictureTransforms.ToVqGan), batch.ToVqGan());
        Assert.Equal(batch.Pictures.SelectMany(PictureTransforms.ToClip), batch.ToClip(64));
        Assert.Equal(batch.Pictures.SelectMany(p => PictureTransforms.ToClip(PillowResize.Bilinear(p, 32, 32))), batch.ToClip(32));
        Assert.Equal(batch.Indices.Select(i => dataset.Caption(i, 2)), batch.Captions(dataset));
        Assert.Throws<ArgumentOutOfRangeException>(() => batch.ToClip(0));
    }

    private static string Text(PictureBatch batch) =>
        $"{batch.Epoch} {batch.Step} {string.Join(' ', batch.Indices)} {string.Join(' ', batch.Pictures.Select(p => Convert.ToHexString(p.Rgb)))}";
}
