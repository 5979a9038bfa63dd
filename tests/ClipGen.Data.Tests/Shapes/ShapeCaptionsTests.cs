using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests.Shapes;

/// <summary>The grammar: its two examples, its closed list of words, and that what a caption says is true.</summary>
public sealed class ShapeCaptionsTests
{
    private const int Captions = 20_000;

    [Fact]
    public void CanonicalWordingIsTheSpecifications()
    {
        var circle = new ShapeObject(ShapeKind.Circle, ShapeColor.Red, ShapeSize.Large, 32, 32, 30);
        var square = new ShapeObject(ShapeKind.Square, ShapeColor.Blue, ShapeSize.Small, 32, 12, 16);
        var star = new ShapeObject(ShapeKind.Star, ShapeColor.Yellow, ShapeSize.Large, 32, 46, 28);
        Assert.Equal("a large red circle on a white background", ShapeCaptions.Canonical(new(new(BackgroundColor.White), [circle], null)));
        Assert.Equal(
            "a small blue square above a large yellow star on a black background",
            ShapeCaptions.Canonical(new(new(BackgroundColor.Black, BackgroundTexture.Noise), [square, star], Relation.Above)));
        Assert.Equal(
            "a large yellow star right of a small blue square on a gray background",
            ShapeCaptions.Canonical(new(new(BackgroundColor.Gray), [star, square], Relation.RightOf)));
    }

    [Fact]
    public void WordsAreClosedAndAllInUse()
    {
        var used = new HashSet<string>();
        var longest = 0;
        var distinct = new HashSet<string>();
        for (var n = 0; n < Captions; n++)
        {
            var caption = Caption(ShapesSplit.Train, n);
            var words = caption.Split(' ');
            used.UnionWith(words);
            distinct.Add(caption);
            longest = Math.Max(longest, words.Length + 2);
        }
        Assert.Equal(ShapeCaptions.Words, used.Order(StringComparer.Ordinal));
        // The longest form is rare with all its long choices, but 20,000 captions hold some.
        Assert.InRange(longest, ShapeCaptions.ContextLength - 2, ShapeCaptions.ContextLength);
        // Half of the scenes have one object, of which there are only 464 times a few wordings.
        Assert.True(distinct.Count > Captions * 3 / 4, $"{distinct.Count} different captions of {Captions}");
    }

    [Fact]
    public void CaptionsAreTrueAndNeverNameHeldOutPairs()
    {
        var held = 0;
        foreach (var split in new[] { ShapesSplit.Train, ShapesSplit.HeldOut })
            for (var n = 0; n < Captions / 2; n++)
            {
                var scene = ShapesWorld.Scene(5, split, n);
                var caption = Caption(split, n);
                var read = Reading.Of(caption);
                if (read.Background is { } background) Assert.Equal(scene.Background.Color, background);
                Assert.Equal(scene.Objects.Count, read.Objects.Count);
                var places = read.Objects.Select(o => scene.Objects.ToList().FindIndex(s => s.Pair == o.Pair)).ToList();
                Assert.Distinct(places);
                for (var k = 0; k < places.Count; k++)
                {
                    Assert.True(places[k] >= 0, $"\"{caption}\" names an object that is not in the scene");
                    Assert.True((read.Objects[k].Size ?? scene.Objects[places[k]].Size) == scene.Objects[places[k]].Size, caption);
                }
                // "b with a above it": the first object named is the one related to.
                if (read.Relation is { } relation)
                    Assert.Equal(scene.Relation, places[0] == (read.Turned ? 1 : 0) ? relation : relation.Reverse());
                if (read.Objects.Any(o => ShapesWorld.IsHeldOut(o.Pair))) held++;
                if (split == ShapesSplit.Train) Assert.Equal(0, held);
            }
        Assert.Equal(Captions / 2, held);
    }

    [Fact]
    public void WordingFollowsFromTheRandomNumbers()
    {
        Assert.Equal(Caption(ShapesSplit.Train, 3), Caption(ShapesSplit.Train, 3));
        var scene = ShapesWorld.Scene(5, ShapesSplit.Train, 3);
        Assert.True(Enumerable.Range(0, 50).Select(v => ShapeCaptions.Caption(scene, new CounterRandom(1, 1, v))).Distinct().Count() > 10);
    }

    [Fact]
    public void OneTellingNamesWhatIsFirstInThePictureFirst()
    {
        var two = 0;
        for (var n = 0; n < 400; n++)
        {
            var scene = ShapesWorld.Scene(5, ShapesSplit.Train, n);
            var read = Reading.Of(ShapeCaptions.Caption(scene, new CounterRandom(5, 77, n), oneTelling: true));
            if (scene.Objects.Count == 1) continue;
            two++;
            var first = scene.Objects.MinBy(o => scene.Relation is Relation.Above or Relation.Below ? o.CentreY : o.CentreX);
            Assert.False(read.Turned);
            Assert.Equal(scene.Relation is Relation.Above or Relation.Below ? Relation.Above : Relation.LeftOf, read.Relation);
            Assert.Equal([first.Pair, scene.Objects.Single(o => o != first).Pair], read.Objects.Select(o => o.Pair));
        }
        Assert.InRange(two, 140, 260);
    }

    [Fact]
    public void PartialCaptionsTellOfOneOfTwoObjectsAndAreTrue()
    {
        int sized = 0, coloured = 0, two = 0, second = 0;
        var words = new HashSet<string>();
        for (var n = 0; n < Captions / 2; n++)
        {
            var scene = ShapesWorld.Scene(5, ShapesSplit.Train, n);
            var random = new CounterRandom(5, 78, n);
            if (scene.Relation is not { } relation)
            {
                Assert.Throws<ArgumentException>(() => ShapeCaptions.Partial(scene, random));
                continue;
            }
            var caption = ShapeCaptions.Partial(scene, random);
            words.UnionWith(caption.Split(' '));
            var read = Reading.Of(caption, ShapeColor.Pink);
            var (pair, size) = Assert.Single(read.Objects);
            // Without a colour the reader takes pink; with one, it is in the words. The relation says which of the two is meant.
            var tellsColour = caption.Split(' ').Any(word => Enum.TryParse<ShapeColor>(word, true, out _));
            Assert.NotNull(read.Relation);
            Assert.Null(read.Background);
            var meant = scene.Objects[read.Relation == relation ? 0 : 1];
            Assert.Equal(meant == scene.Objects[0] ? relation : relation.Reverse(), read.Relation);
            Assert.True(meant.Kind == pair.Kind && (!tellsColour || meant.Color == pair.Color) && (size ?? meant.Size) == meant.Size, $"\"{caption}\" is not true of scene {n}");
            two++;
            if (size is not null) sized++;
            if (tellsColour) coloured++;
            if (meant == scene.Objects[1]) second++;
        }
        Assert.Subset(ShapeCaptions.Words.ToHashSet(), words);
        // 0.4, 0.4 and 0.5 of about 5,000: 6 standard deviations to either side.
        Assert.Equal(0.4, sized / (double)two, 0.042);
        Assert.Equal(0.4, coloured / (double)two, 0.042);
        Assert.Equal(0.5, second / (double)two, 0.043);
    }

    [Fact]
    public void ADatasetTellsPartlyOfTwoObjectsAsOftenAsAskedFor()
    {
        var (never, half, always) = (Dataset(0), Dataset(0.5), Dataset(1));
        int partial = 0, two = 0;
        for (var n = 0; n < 2000; n++)
        {
            if (always.Scene(n).Relation is null)
            {
                Assert.Equal(never.Caption(n, 0), always.Caption(n, 0));
                continue;
            }
            two++;
            if (half.Caption(n, 0) == always.Caption(n, 0)) partial++;
        }
        // 6 standard deviations of about 1,000.
        Assert.Equal(0.5, partial / (double)two, 0.095);

        static ShapesDataset Dataset(double share) => new(5, ShapesSplit.Train, 2000, new ShapesLesson(1, Partial: share));
    }

    private static string Caption(ShapesSplit split, int n) => ShapeCaptions.Caption(ShapesWorld.Scene(5, split, n), new CounterRandom(5, 77, n));

    /// <summary>A caption taken apart by a reader of its own.</summary>
    private sealed record Reading(BackgroundColor? Background, List<(ShapePair Pair, ShapeSize? Size)> Objects, Relation? Relation, bool Turned)
    {
        private static readonly Dictionary<string, string> Plain = new()
        {
            ["disc"] = "circle",
            ["box"] = "square",
            ["plus"] = "cross",
            ["rhombus"] = "diamond",
            ["hoop"] = "ring",
            ["grey"] = "gray",
            ["little"] = "small",
            ["tiny"] = "small",
            ["big"] = "large",
            ["huge"] = "large",
            ["over"] = "above",
            ["under"] = "below",
            ["beneath"] = "below",
            ["left"] = "leftof",
            ["right"] = "rightof",
        };

        /// <param name="caption">The caption.</param>
        /// <param name="unnamed">Colour of an object whose colour is not told; null where captions always tell it.</param>
        public static Reading Of(string caption, ShapeColor? unnamed = null)
        {
            BackgroundColor? background = null;
            Relation? relation = null;
            ShapeSize? size = null;
            ShapeColor? color = null;
            var objects = new List<(ShapePair, ShapeSize?)>();
            foreach (var word in caption.Split(' ').Select(w => Plain.GetValueOrDefault(w, w)))
            {
                if (Enum.TryParse<ShapeSize>(word, true, out var s)) size = s;
                else if (Enum.TryParse<ShapeColor>(word, true, out var c)) color = c;
                else if (Enum.TryParse<ShapeKind>(word, true, out var kind))
                {
                    objects.Add((new ShapePair(kind, color ?? unnamed!.Value), size));
                    (size, color) = (null, null);
                }
                else if (Enum.TryParse<Relation>(word, true, out var r)) relation = r;
                else if (Enum.TryParse<BackgroundColor>(word, true, out var b)) background = b;
            }
            return new Reading(background, objects, relation, caption.Split(' ').Contains("with"));
        }
    }
}
