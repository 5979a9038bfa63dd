using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests.Shapes;

/// <summary>The streams of scenes: what the world promises about each.</summary>
public sealed class ShapesWorldTests
{
    private const int Scenes = 6000;

    [Fact]
    public void HeldOutPairsAreSixOfSixtyFour()
    {
        ShapePair[] expected =
        [
            new(ShapeKind.Circle, ShapeColor.Green), new(ShapeKind.Square, ShapeColor.Purple), new(ShapeKind.Triangle, ShapeColor.Pink),
            new(ShapeKind.Star, ShapeColor.Blue), new(ShapeKind.Cross, ShapeColor.Orange), new(ShapeKind.Diamond, ShapeColor.Red),
        ];
        Assert.Equal(expected, ShapesWorld.HeldOutPairs);
        Assert.Equal(58, ShapesWorld.SeenPairs.Count);
        Assert.Empty(ShapesWorld.SeenPairs.Intersect(expected));
    }

    [Theory]
    [InlineData(ShapesSplit.Train)]
    [InlineData(ShapesSplit.Validation)]
    [InlineData(ShapesSplit.HeldOut)]
    public void ScenesObeyTheWorld(ShapesSplit split)
    {
        var two = 0;
        for (var n = 0; n < Scenes; n++)
        {
            var scene = ShapesWorld.Scene(3, split, n);
            Assert.InRange(scene.Objects.Count, 1, 2);
            foreach (var o in scene.Objects)
            {
                Assert.InRange(o.Box, o.Size == ShapeSize.Small ? 14 : 26, o.Size == ShapeSize.Small ? 20 : 36);
                // One pixel is free on each side; the rest is rounding of doubles near 64.
                Assert.InRange(o.CentreX, 1 + o.Box / 2 - 1e-12, 63 - o.Box / 2 + 1e-12);
                Assert.InRange(o.CentreY, 1 + o.Box / 2 - 1e-12, 63 - o.Box / 2 + 1e-12);
            }
            var held = scene.Objects.Count(o => ShapesWorld.IsHeldOut(o.Pair));
            if (split == ShapesSplit.HeldOut) Assert.InRange(held, 1, 2);
            else Assert.Equal(0, held);
            if (scene.Objects is not [var a, var b])
            {
                Assert.Null(scene.Relation);
                continue;
            }
            two++;
            Assert.NotEqual(a.Pair, b.Pair);
            var (dx, dy) = (a.CentreX - b.CentreX, a.CentreY - b.CentreY);
            Assert.Equal(Relations.FromOffset(dx, dy), scene.Relation);
            Assert.Equal(Relations.FromOffset(-dx, -dy), scene.Relation!.Value.Reverse());
            var (along, across) = (Math.Max(Math.Abs(dx), Math.Abs(dy)), Math.Min(Math.Abs(dx), Math.Abs(dy)));
            Assert.True(along - (a.Box + b.Box) / 2 >= 3 - 1e-12, $"scene {n}: the boxes are {along - (a.Box + b.Box) / 2} pixels apart");
            Assert.True(across <= 0.75 * along + 1e-12, $"scene {n}: {across} across, {along} along");
        }
        // Six deviations of a fair coin.
        Assert.InRange(two, Scenes / 2 - 3 * Math.Sqrt(Scenes), Scenes / 2 + 3 * Math.Sqrt(Scenes));
    }

    [Fact]
    public void ChoicesAreUniform()
    {
        var scenes = Enumerable.Range(0, Scenes).Select(n => ShapesWorld.Scene(4, ShapesSplit.Train, n)).ToList();
        var objects = scenes.SelectMany(s => s.Objects).ToList();
        Uniform(objects.Select(o => o.Pair), 58);
        Uniform(objects.Select(o => o.Size), 2);
        Uniform(scenes.Select(s => s.Background), 12);
        Uniform(scenes.Where(s => s.Relation is not null).Select(s => s.Relation!.Value), 4);
        Uniform(scenes.Where(s => s.Objects.Count == 2).Select(s => (s.Objects[0].Size, s.Objects[1].Size)), 4);

        static void Uniform<T>(IEnumerable<T> found, int values)
            where T : notnull
        {
            var all = found.ToList();
            var counts = all.CountBy(v => v).ToList();
            Assert.Equal(values, counts.Count);
            var expected = (double)all.Count / values;
            // Five deviations of a count, about 1 in a million per value.
            Assert.All(counts, c => Assert.True(Math.Abs(c.Value - expected) <= 5 * Math.Sqrt(expected), $"{c.Key}: {c.Value} times, expected {expected:F0}"));
        }
    }

    [Fact]
    public void ScenesFollowFromSeedSplitAndIndex()
    {
        static string Text(ulong seed, ShapesSplit split, long index)
        {
            var scene = ShapesWorld.Scene(seed, split, index);
            return $"{scene.Background} {string.Join(' ', scene.Objects)} {scene.Relation}";
        }

        Assert.Equal(Text(1, ShapesSplit.Train, 5), Text(1, ShapesSplit.Train, 5));
        string[] all = [Text(1, ShapesSplit.Train, 5), Text(2, ShapesSplit.Train, 5), Text(1, ShapesSplit.Validation, 5), Text(1, ShapesSplit.Train, 6), Text(1, ShapesSplit.Train, 5 + (1L << 40))];
        Assert.Distinct(all);
        Assert.Equal(ShapesWorld.Picture(1, ShapesSplit.Train, 5).Rgb, ShapesWorld.Picture(1, ShapesSplit.Train, 5).Rgb);
        Assert.Throws<ArgumentOutOfRangeException>(() => ShapesWorld.Scene(1, ShapesSplit.Train, -1));
    }
}
