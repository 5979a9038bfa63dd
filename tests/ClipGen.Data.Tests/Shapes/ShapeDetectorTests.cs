using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests.Shapes;

/// <summary>The detector against scenes that are known, and the judge against answers that are known.</summary>
public sealed class ShapeDetectorTests
{
    private const int Degraded = 400;

    [Theory]
    [InlineData(ShapesSplit.Train, 2000)]
    [InlineData(ShapesSplit.HeldOut, 500)]
    public void ReadsFreshScenes(ShapesSplit split, int scenes)
    {
        var right = 0;
        var failure = "";
        for (var n = 0; n < scenes; n++)
        {
            var scene = ShapesWorld.Scene(7, split, n);
            var found = ShapeDetector.Read(ShapesWorld.Picture(7, split, n));
            var verdict = ShapeJudge.Judge(scene, found);
            if (verdict.AllRight && verdict.BackgroundRight && Near(scene, found)) right++;
            else failure = Describe(scene, found);
        }
        Assert.True(right >= scenes * 0.99, $"{right} of {scenes} scenes read right; the last failure: {failure}");
    }

    // Half-pixel places and sizes within a pixel: what a fit by moments keeps to on unblurred pictures.
    private static bool Near(ShapeScene scene, DetectedScene found) => scene.Objects.All(o => found.Objects.Any(f =>
        Math.Abs(f.CentreX - o.CentreX) <= 0.5 && Math.Abs(f.CentreY - o.CentreY) <= 0.5 && Math.Abs(f.Box - o.Box) <= 1));

    [Theory]
    [InlineData(0.6, 0.0, 4, 8)]
    [InlineData(1.0, 0.8, 6, 12)]
    public void ReadsBlurredNoisyShiftedScenes(double blur, double ringing, double noise, double shift)
    {
        var right = 0;
        var failure = "";
        for (var n = 0; n < Degraded; n++)
        {
            var scene = ShapesWorld.Scene(8, ShapesSplit.Validation, n);
            var found = ShapeDetector.Read(Degradation.Apply(ShapesWorld.Picture(8, ShapesSplit.Validation, n), blur, ringing, noise, shift, n));
            if (ShapeJudge.Judge(scene, found).AllRight) right++;
            else failure = Describe(scene, found);
        }
        Assert.True(right >= Degraded * 0.95, $"{right} of {Degraded} scenes read right; the last failure: {failure}");
    }

    [Fact]
    public void AgreesOnlyWithWhatIsShown()
    {
        // Each picture is held against the scenes of its neighbours: the judge agrees exactly where the words agree.
        var scenes = Enumerable.Range(0, 400).Select(n => ShapesWorld.Scene(9, ShapesSplit.Validation, n)).ToList();
        var agreed = 0;
        for (var n = 0; n < scenes.Count; n++)
        {
            var found = ShapeDetector.Read(ShapesWorld.Picture(9, ShapesSplit.Validation, n));
            for (var k = n; k < Math.Min(n + 20, scenes.Count); k++)
            {
                var same = Words(scenes[n]) == Words(scenes[k]);
                Assert.Equal(same, ShapeJudge.Judge(scenes[k], found).AllRight);
                agreed += same && k > n ? 1 : 0;
            }
        }
        Assert.True(agreed > 0, "no two scenes agree: only disagreement was tried");

        // Two objects can be told from either side.
        static string Words(ShapeScene scene) => string.Join(" / ", Sides(scene).Order(StringComparer.Ordinal));

        static IEnumerable<string> Sides(ShapeScene scene)
        {
            static string Word(ShapeObject o) => $"{o.Size} {o.Color} {o.Kind}";
            if (scene.Relation is not { } relation) return [Word(scene.Objects[0])];
            var (a, b) = (Word(scene.Objects[0]), Word(scene.Objects[1]));
            return [$"{a} {relation} {b}", $"{b} {relation.Reverse()} {a}"];
        }
    }

    [Fact]
    public void SpecksAreIgnored()
    {
        var scene = ShapesWorld.Scene(7, ShapesSplit.Train, 1);
        var picture = ShapesWorld.Picture(7, ShapesSplit.Train, 1);
        foreach (var (left, top) in new[] { (1, 1), (60, 60), (1, 60) })
            for (var i = 0; i < 9; i++)
                picture.Rgb[((top + i / 3) * 64 + left + i % 3) * 3] ^= 0x80;
        Assert.Equal(scene.Objects.Count, ShapeDetector.Read(picture).Objects.Count);
    }

    [Fact]
    public void TouchingObjectsOfTwoColoursAreTwo()
    {
        var scene = new ShapeScene(
            new ShapeBackground(BackgroundColor.Gray),
            [new(ShapeKind.Square, ShapeColor.Blue, ShapeSize.Small, 20, 32, 18), new(ShapeKind.Circle, ShapeColor.Yellow, ShapeSize.Large, 43, 32, 28)],
            Relation.LeftOf);
        Assert.True(ShapeJudge.Judge(scene, ShapeDetector.Read(ShapeRenderer.Render(scene, 0))).AllRight);
    }

    [Fact]
    public void AnyPictureIsRead()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new CounterRandom((ulong)seed, 1);
            var picture = new Picture(64, 64);
            var block = 1 << seed % 5; // from single pixels to blocks of 16
            for (var i = 0; i < 64 * 64; i++)
                for (var c = 0; c < 3; c++)
                    picture.Rgb[3 * i + c] = i % 64 % block != 0 ? picture.Rgb[3 * i - 3 + c]
                        : i / 64 % block != 0 ? picture.Rgb[3 * i - 192 + c] : (byte)random.NextBits();
            Assert.All(ShapeDetector.Read(picture).Objects, o => Assert.InRange(o.Match, 0, 1));
        }
        Assert.Empty(ShapeDetector.Read(new Picture(64, 64)).Objects);
        Assert.Contains("32 x 64", Assert.Throws<ArgumentException>(() => ShapeDetector.Read(new Picture(32, 64))).Message);
    }

    [Fact]
    public void VerdictsCountEachProperty()
    {
        var red = new ShapeObject(ShapeKind.Circle, ShapeColor.Red, ShapeSize.Large, 16, 32, 28);
        var blue = new ShapeObject(ShapeKind.Star, ShapeColor.Blue, ShapeSize.Small, 50, 32, 16);
        var asked = new ShapeScene(new ShapeBackground(BackgroundColor.White), [red, blue], Relation.LeftOf);
        DetectedObject Seen(ShapeObject o, double match = 0.95) => new(o.Kind, o.Color, o.Size, o.CentreX, o.CentreY, o.Box, match);
        ShapeVerdict Judge(params DetectedObject[] found) => ShapeJudge.Judge(asked, new DetectedScene(BackgroundColor.Black, found));

        Assert.Equal(new ShapeVerdict(2, 2, 2, 2, 2, 2, true, false), Judge(Seen(blue), Seen(red)));
        Assert.True(Judge(Seen(blue), Seen(red)).AllRight);
        // Sides exchanged: all objects right, the relation wrong.
        Assert.Equal(new ShapeVerdict(2, 2, 2, 2, 2, 2, false, false), Judge(Seen(red with { CentreX = 50 }), Seen(blue with { CentreX = 16 })));
        Assert.Equal(new ShapeVerdict(2, 2, 1, 2, 2, 1, true, false), Judge(Seen(red), Seen(blue with { Kind = ShapeKind.Heart })));
        Assert.Equal(new ShapeVerdict(2, 2, 1, 2, 2, 1, true, false), Judge(Seen(red), Seen(blue, match: 0.5)));
        Assert.Equal(new ShapeVerdict(2, 2, 2, 1, 1, 1, true, false), Judge(Seen(red), Seen(blue with { Color = ShapeColor.Cyan, Size = ShapeSize.Large })));
        Assert.Equal(new ShapeVerdict(2, 1, 1, 1, 1, 1, false, false), Judge(Seen(blue)));
        Assert.Equal(new ShapeVerdict(2, 0, 0, 0, 0, 0, false, false), Judge());
        // One too many: everything asked for is there, but the picture isn't what was asked for.
        var three = Judge(Seen(red), Seen(blue), Seen(blue with { CentreY = 10, Color = ShapeColor.Pink }));
        Assert.Equal(new ShapeVerdict(2, 3, 2, 2, 2, 2, true, false), three);
        Assert.False(three.AllRight);

        var one = new ShapeScene(new ShapeBackground(BackgroundColor.White), [red], null);
        Assert.Equal(new ShapeVerdict(1, 2, 1, 1, 1, 1, true, true), ShapeJudge.Judge(one, new DetectedScene(BackgroundColor.White, [Seen(blue), Seen(red)])));
        Assert.Equal(new ShapeVerdict(1, 0, 0, 0, 0, 0, false, true), ShapeJudge.Judge(one, new DetectedScene(BackgroundColor.White, [])));
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    public void PromptsAreOfTheirKind(bool heldOut, int objects)
    {
        var prompts = ShapePrompts.Make(3, heldOut, objects, 200);
        Assert.Equal(200, prompts.Count);
        foreach (var prompt in prompts)
        {
            Assert.Equal(objects, prompt.Scene.Objects.Count);
            Assert.Equal(objects == 2, prompt.Scene.Relation is not null);
            Assert.Equal(heldOut, prompt.Scene.Objects.Any(o => ShapesWorld.IsHeldOut(o.Pair)));
            Assert.Equal(ShapeCaptions.Canonical(prompt.Scene), prompt.Caption);
        }
        Assert.True(prompts.Select(p => p.Caption).Distinct().Count() > 40);
        Assert.Equal(prompts.Take(50).Select(p => p.Caption), ShapePrompts.Make(3, heldOut, objects, 50).Select(p => p.Caption));
        Assert.NotEqual(prompts.Select(p => p.Caption), ShapePrompts.Make(4, heldOut, objects, 200).Select(p => p.Caption));
        Assert.Throws<ArgumentOutOfRangeException>(() => ShapePrompts.Make(3, heldOut, objects == 1 ? 0 : 3, 1));
    }

    private static string Describe(ShapeScene scene, DetectedScene found) =>
        $"{ShapeCaptions.Canonical(scene)} ({scene.Background.Texture}); found {found.Background}: {string.Join(", ", found.Objects)}";
}
