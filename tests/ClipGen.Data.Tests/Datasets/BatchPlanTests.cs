using ClipGen.Data.Datasets;

namespace ClipGen.Data.Tests.Datasets;

/// <summary>Orders, batches and crops by seed, epoch and step.</summary>
public sealed class BatchPlanTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(5, 2)]
    [InlineData(64, 8)]
    [InlineData(65, 8)]
    [InlineData(4097, 100)]
    public void EpochsArePermutations(int count, int batch)
    {
        var plan = new BatchPlan(count, batch, 5);
        Assert.Equal(count / batch, plan.StepsPerEpoch);
        var orders = new List<string>();
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var all = Enumerable.Range(0, (int)plan.StepsPerEpoch).SelectMany(step => plan.Indices(epoch, step)).ToList();
            Assert.Equal(count / batch * batch, all.Count);
            Assert.Distinct(all);
            Assert.All(all, index => Assert.InRange(index, 0, count - 1));
            orders.Add(string.Join(' ', all));
        }
        if (count > 10) Assert.Distinct(orders);
        if (count > 10) Assert.NotEqual(plan.Indices(0, 0), new BatchPlan(count, batch, 6).Indices(0, 0));
        Assert.Equal(plan.Indices(2, 0), new BatchPlan(count, batch, 5).Indices(2, 0));
    }

    [Theory]
    [InlineData(64, 8, 4)]
    [InlineData(67, 8, 4)]
    [InlineData(24, 6, 6)]
    public void WhatBelongsTogetherStaysTogether(int count, int batch, int together)
    {
        var plan = new BatchPlan(count, batch, 5, together);
        Assert.Equal(count / batch, plan.StepsPerEpoch);
        var orders = new List<string>();
        for (var epoch = 0; epoch < 3; epoch++)
        {
            var all = Enumerable.Range(0, (int)plan.StepsPerEpoch).SelectMany(step => plan.Indices(epoch, step)).ToArray();
            Assert.Distinct(all);
            Assert.All(all, index => Assert.InRange(index, 0, count / together * together - 1));
            foreach (var group in all.Chunk(together))
            {
                Assert.Equal(0, group[0] % together);
                Assert.Equal(Enumerable.Range(0, together).Select(i => group[0] + i), group);
            }
            orders.Add(string.Join(' ', all));
        }
        Assert.Distinct(orders);
        Assert.Contains("multiple of 4", Assert.Throws<ClipGen.Data.DataException>(() => new BatchPlan(64, 6, 5, 4)).Message);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    public void EveryPictureComesEverywhereEquallyOften(int count)
    {
        const int Epochs = 6000;
        var plan = new BatchPlan(count, count, 9);
        var places = new int[count, count];
        for (var epoch = 0; epoch < Epochs; epoch++)
        {
            var order = plan.Indices(epoch, 0);
            for (var i = 0; i < count; i++) places[i, order[i]]++;
        }
        var expected = (double)Epochs / count;
        foreach (var found in places)
            Assert.True(Math.Abs(found - expected) <= 5 * Math.Sqrt(expected), $"{found} times, expected {expected:F0}"); // five deviations
    }

    [Fact]
    public void HugeSetsNeedNoTable()
    {
        var plan = new BatchPlan(1L << 62, 1000, 1);
        var indices = plan.Indices(7, plan.StepsPerEpoch - 1);
        Assert.Distinct(indices);
        Assert.All(indices, index => Assert.InRange(index, 0, (1L << 62) - 1));
        // A thousand numbers from so many: their mean is off the middle by at most 5 / sqrt(12 * 1000) of the range.
        Assert.Equal(0.5, indices.Average(i => i / Math.Pow(2, 62)), 0.046);
    }

    [Fact]
    public void SequentialPlansLeaveNothingOut()
    {
        var plan = BatchPlan.Sequential(7, 3);
        Assert.Equal(3, plan.StepsPerEpoch);
        Assert.Equal([3, 4, 5], plan.Indices(4, 1));
        Assert.Equal([6], plan.Indices(0, 2));
        Assert.Equal([0, 1], BatchPlan.Sequential(2, 5).Indices(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => plan.Indices(0, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => plan.Indices(-1, 0));
    }

    [Fact]
    public void SmallSetsGetAHint()
    {
        Assert.Contains("--bs 5", Assert.Throws<DataException>(() => new BatchPlan(5, 8, 0)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchPlan(0, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchPlan(5, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchPlan((1L << 62) + 1, 1, 0));
    }

    [Fact]
    public void CropsFollowFromTheirPlace()
    {
        var picture = TestPictures.Hashed(12, 20); // the short side is doubled below
        var crop = PictureCrop.Random(24, 3);
        var resized = PictureTransforms.ResizeShortSide(picture, 24);
        var tops = new int[resized.Height - 24 + 1];
        for (var slot = 0; slot < 1700; slot++)
        {
            var found = crop.Apply(picture, 1, 2, slot);
            Assert.Equal((24, 24), (found.Width, found.Height));
            // Each row of the resized picture is different, so that one top fits.
            tops[Enumerable.Range(0, tops.Length).Single(t => resized.Rgb.AsSpan(t * 72, 24 * 72).SequenceEqual(found.Rgb))]++;
        }
        Assert.All(tops, times => Assert.InRange(times, 50, 150)); // 100 each, five deviations of 10
        Assert.Equal(crop.Apply(picture, 1, 2, 3).Rgb, PictureCrop.Random(24, 3).Apply(picture, 1, 2, 3).Rgb);
        Assert.True(new[] { (1, 2, 4), (1, 3, 3), (2, 2, 3) }.Count(p => !crop.Apply(picture, p.Item1, p.Item2, p.Item3).Rgb.AsSpan().SequenceEqual(crop.Apply(picture, 1, 2, 3).Rgb)) >= 2);
    }

    [Fact]
    public void CentreCropsAndFittingPictures()
    {
        var picture = TestPictures.Hashed(12, 20);
        Assert.Equal(PictureTransforms.CenterCrop(picture, 12).Rgb, PictureCrop.Centre(12).Apply(picture, 5, 6, 7).Rgb);
        var square = TestPictures.Hashed(64, 64);
        Assert.Same(square, PictureCrop.Random(64, 1).Apply(square, 0, 0, 0));
        Assert.Same(square, PictureCrop.Centre(64).Apply(square, 0, 0, 0));
        Assert.Throws<DataException>(() => PictureCrop.Centre(256).Apply(new Picture(3_000_000, 1), 0, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PictureCrop.Centre(0));
    }
}
