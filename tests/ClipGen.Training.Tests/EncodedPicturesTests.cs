using ClipGen.Checkpoints;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Training.Gpt;

namespace ClipGen.Training.Tests;

/// <summary>Codes and embeddings in a file.</summary>
public sealed class EncodedPicturesTests : IDisposable
{
    private readonly TemporaryFolder place = new();

    public void Dispose() => place.Dispose();

    [Fact]
    public void WhatIsReadIsWhatWasWritten()
    {
        var encoded = new EncodedPictures(3, 4, 2);
        encoded.Set(0, [[0, 1, 2, 3], [4, 5, 6, 7]], [0.5f, 1.5f, -2, 3]);
        encoded.Set(2, [[7, 7, 0, 0]], [1e-30f, 4]);
        encoded.Write(place["file"], "key");
        Assert.Null(EncodedPictures.Read(place["none"], "key", 3, 4, 2, 8));
        Assert.Null(EncodedPictures.Read(place["file"], "another", 3, 4, 2, 8));
        var read = EncodedPictures.Read(place["file"], "key", 3, 4, 2, 8);
        Assert.NotNull(read);
        Assert.Equal([4, 5, 6, 7], read.CodesOf(1));
        Assert.Equal([7, 7, 0, 0], read.CodesOf(2));
        Assert.Equal([0.5f, 1.5f], read.EmbeddingOf(0));
        Assert.Equal([1e-30f, 4], read.EmbeddingOf(2));
    }

    [Fact]
    public void DamagedOnes()
    {
        var encoded = new EncodedPictures(1, 2, 2);
        encoded.Set(0, [[3, 8]], [1, 2]);
        encoded.Write(place["file"], "key");
        Assert.Contains("outside of 0 to 7", Assert.Throws<CheckpointException>(() => EncodedPictures.Read(place["file"], "key", 1, 2, 2, 8)).Message);
        Assert.Contains("expected the codes [2, 2]", Assert.Throws<CheckpointException>(() => EncodedPictures.Read(place["file"], "key", 2, 2, 2, 9)).Message);
        encoded.Set(0, [[3, -1]], [1, 2]);
        encoded.Write(place["file"], "key");
        Assert.Throws<CheckpointException>(() => EncodedPictures.Read(place["file"], "key", 1, 2, 2, 8));
    }

    [Fact]
    public void KeysTellPicturesSizesSeedsAndModelsApart()
    {
        static string Key(ulong seed, long count, int side, string models) => EncodedPictures.KeyOf(new ShapesDataset(seed, ShapesSplit.Train, count), side, seed, models);
        string[] keys = [Key(1, 10, 64, "a b"), Key(2, 10, 64, "a b"), Key(1, 11, 64, "a b"), Key(1, 10, 32, "a b"), Key(1, 10, 64, "a c")];
        Assert.Equal(5, keys.Distinct().Count());
        Assert.Equal(keys[0], Key(1, 10, 64, "a b"));
    }
}
