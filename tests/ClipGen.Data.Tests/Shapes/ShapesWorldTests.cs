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
    public void RelativesDifferInOneThing(ShapesSplit split)
    {
        var changes = new Dictionary<string, int>();
        for (var family = 0; family < 500; family++)
        {
            ShapeScene[] members = [.. Enumerable.Range(0, ShapesWorld.LargestFamily).Select(member => ShapesWorld.Relative(3, split, family, member, 0))];
            Assert.Distinct(members.Select(Told));
            Assert.Distinct(members.Select(scene => scene.Objects[0].CentreX));
            foreach (var scene in members)
            {
                Assert.Equal(members[0].Background.Color, scene.Background.Color);
                Assert.Equal(members[0].Objects.Count, scene.Objects.Count);
                Assert.All(scene.Objects, o => Assert.False(ShapesWorld.IsHeldOut(o.Pair)));
                if (scene.Objects is [var a, var b]) Assert.Equal(Relations.FromOffset(a.CentreX - b.CentreX, a.CentreY - b.CentreY), scene.Relation);
            }
            foreach (var scene in members[1..])
            {
                var (was, now) = (members[0].Objects, scene.Objects);
                string[] changed =
                [
                    .. was.Zip(now).Where(pair => pair.First.Kind != pair.Second.Kind).Select(_ => "shape"),
                    .. was.Zip(now).Where(pair => pair.First.Color != pair.Second.Color).Select(_ => "colour"),
                    .. was.Zip(now).Where(pair => pair.First.Size != pair.Second.Size).Select(_ => "size"),
                    .. members[0].Relation == scene.Relation ? Array.Empty<string>() : [members[0].Relation?.Reverse() == scene.Relation ? "relation reversed" : "relation turned"],
                ];
                // One thing, or one that the two objects have exchanged.
                if (changed is ["colour", "colour"]) Assert.Equal((was[0].Color, was[1].Color), (now[1].Color, now[0].Color));
                if (changed is ["size", "size"]) Assert.Equal((was[0].Size, was[1].Size), (now[1].Size, now[0].Size));
                var what = string.Join('+', changed);
                changes[what] = changes.GetValueOrDefault(what) + 1;
            }
        }
        Assert.Equal(["colour", "colour+colour", "relation reversed", "relation turned", "shape", "size", "size+size"], changes.Keys.Order(StringComparer.Ordinal));
        Assert.All(changes, pair => Assert.True(pair.Value >= 50, $"{pair.Key}: {pair.Value} of 3500"));
        Assert.Equal(ShapesWorld.Relative(3, split, 7, 5, 0).Objects, ShapesWorld.Relative(3, split, 7, 5, 0).Objects);
        Assert.Throws<ArgumentOutOfRangeException>(() => ShapesWorld.Relative(3, split, 0, ShapesWorld.LargestFamily, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ShapesWorld.Relative(3, ShapesSplit.HeldOut, 0, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ShapesWorld.Relative(3, split, 0, 0, 1.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ShapesWorld.Relative(3, split, 0, 0, double.NaN));
    }

    [Fact]
    public void ArrangementsAreOfTheSameTwoObjects()
    {
        var (families, recoloured, whole) = (0, 0, 0);
        for (var family = 0; family < 300; family++)
        {
            ShapeScene[] members = [.. Enumerable.Range(0, ShapesWorld.LargestFamily).Select(member => ShapesWorld.Relative(3, ShapesSplit.Train, family, member, 1))];
            Assert.Equal(ShapesWorld.Relative(3, ShapesSplit.Train, family, 0, 0).Objects, members[0].Objects);
            Assert.Distinct(members.Select(Told));
            Assert.All(members.SelectMany(scene => scene.Objects), o => Assert.False(ShapesWorld.IsHeldOut(o.Pair)));
            if (members[0].Objects is not [var first, var second]) continue;
            families++;
            // The first object comes in all four relations to the second.
            Assert.Equal(4, members[..4].Select(scene => scene.Relation).Distinct().Count());
            Assert.All(members[..4], scene => Assert.Equal([(first.Pair, first.Size), (second.Pair, second.Size)], scene.Objects.Select(o => (o.Pair, o.Size))));
            Assert.All(members, scene => Assert.Equal(Relations.FromOffset(scene.Objects[0].CentreX - scene.Objects[1].CentreX, scene.Objects[0].CentreY - scene.Objects[1].CentreY), scene.Relation));
            recoloured += members[4..].Count(scene => scene.Objects[0].Color == second.Color && scene.Objects[1].Color == first.Color && scene.Objects[0].Kind == first.Kind && scene.Objects[1].Kind == second.Kind && first.Color != second.Color);
            if (members.All(scene => new[] { first.Kind, second.Kind }.Order().SequenceEqual(scene.Objects.Select(o => o.Kind).Order()) && new[] { first.Color, second.Color }.Order().SequenceEqual(scene.Objects.Select(o => o.Color).Order()))) whole++;
        }
        // Three of four families are of two objects; where they differ in nothing that could be exchanged, or the exchange would be held out, changes of other kinds fill up.
        Assert.InRange(families, 200, 250);
        Assert.InRange(recoloured, 2 * families, 4 * families);
        Assert.InRange(whole, families * 3 / 4, families);

        var shown = Enumerable.Range(0, 400).Count(family => ShapesWorld.Relative(3, ShapesSplit.Train, family, 1, 0.5).Objects.SequenceEqual(ShapesWorld.Relative(3, ShapesSplit.Train, family, 1, 1).Objects));
        // A quarter of them have one object and are the same either way, half of the others are arrangements: 250 expected.
        Assert.InRange(shown, 210, 290);
    }

    // From whichever object it is told, the scene is the same.
    private static string Told(ShapeScene scene)
    {
        static string Telling(IEnumerable<ShapeObject> objects, Relation? relation) => $"{string.Join(' ', objects.Select(o => (o.Kind, o.Color, o.Size)))} {relation}";
        string[] tellings = [Telling(scene.Objects, scene.Relation), Telling(scene.Objects.Reverse(), scene.Relation?.Reverse())];
        return tellings.Min(StringComparer.Ordinal)!;
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
