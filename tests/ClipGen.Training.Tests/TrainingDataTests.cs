using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Testing;

namespace ClipGen.Training.Tests;

public sealed class TrainingDataTests : IDisposable
{
    private readonly TemporaryFolder place = new();
    private readonly List<string> warnings = [];

    public void Dispose() => place.Dispose();

    [Fact]
    public void BrokenPicturesAreNamedOnceAndReplaced()
    {
        for (var i = 0; i < 12; i++) Put("gray4.png", $"good{i:D2}.png");
        for (var i = 0; i < 4; i++) Put("bad_truncated.jpg", $"torn{i}.jpg");
        using var data = Data(2, share: 0.4);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            for (var step = 0; step < data.BatchesPerEpoch; step++) Assert.Equal(2, data.At(epoch, step, TestContext.Current.CancellationToken).Pictures.Length);
            Assert.All(data.ValidationBatches(100, TestContext.Current.CancellationToken), batch => Assert.NotEmpty(batch.Pictures));
        }
        Assert.Equal(4, data.UnreadableCount);
        Assert.Equal(Enumerable.Range(0, 4).Select(i => place[$"torn{i}.jpg"]), warnings.Select(line => line.Split(": ")[0]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void NothingToReadIsSaidAtOnce()
    {
        for (var i = 0; i < 4; i++) Put("bad_truncated.jpg", $"torn{i}.jpg");
        var message = Assert.Throws<DataException>(() => Data(1)).Message;
        Assert.StartsWith($"{place.Path}: none of the 3 pictures can be read; the first of them: ", message);
        for (var i = 0; i < 4; i++) Put("gray4.png", $"torn{i}.jpg");
        using (Data(1)) Assert.Empty(warnings);
        // All pictures to validate on, whichever these are.
        var validation = new FolderDataset(place.Path).Split(0.25).Validation!;
        Assert.Equal(1, validation.Count);
        File.Copy(RepositoryPaths.GoldenFile("images", "files", "bad_truncated.jpg"), validation.NameOf(0), overwrite: true);
        Assert.StartsWith($"{place.Path}: none of the 1 pictures to validate on can be read", Assert.Throws<DataException>(() => Data(1)).Message);
    }

    [Fact]
    public void OnePictureLeavesNothingToValidateOn()
    {
        Put("gray4.png", "only.png");
        Assert.Contains("nothing to validate on", Assert.Throws<DataException>(() => Data(1)).Message);
    }

    [Fact]
    public void AStepNeedsItsBatches()
    {
        using var data = new TrainingData(new ShapesDataset(0, ShapesSplit.Train, 10).Split(0.5), 16, 3, 0, overfit: false, warnings.Add);
        Assert.Equal(3, data.BatchesPerEpoch);
        Assert.Equal(1, data.StepsPerEpoch(2));
        Assert.Contains("give --accumulate 3 or less", Assert.Throws<DataException>(() => data.StepsPerEpoch(4)).Message);
        using var overfit = new TrainingData(new ShapesDataset(0, ShapesSplit.Train, 10).Split(0.5), 16, 3, 0, overfit: true, warnings.Add);
        Assert.Equal(1, overfit.StepsPerEpoch(4));
        Assert.Same(overfit.At(0, 0, TestContext.Current.CancellationToken), overfit.At(7, 3, TestContext.Current.CancellationToken));
    }

    private TrainingData Data(int batch, double share = 0.25) => new(new FolderDataset(place.Path).Split(share), 16, batch, 0, overfit: false, warnings.Add);

    private void Put(string golden, string name) => File.Copy(RepositoryPaths.GoldenFile("images", "files", golden), place[name], overwrite: true);
}
