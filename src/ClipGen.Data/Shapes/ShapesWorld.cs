namespace ClipGen.Data.Shapes;

/// <summary>Which scenes a stream holds.</summary>
public enum ShapesSplit
{
    /// <summary>Scenes to train on; no object is a held-out pair.</summary>
    Train,

    /// <summary>Other scenes of the same kind.</summary>
    Validation,

    /// <summary>Scenes with a held-out pair: the only object is one, and at least one of two.</summary>
    HeldOut,
}

/// <summary>
/// The synthetic world: endless streams of scenes, each a pure function of (seed, split, index). Half of the scenes have one object, half two;
/// shape and colour (as a pair), size, background and relation are uniform; places and sizes are jittered. Objects lie inside the picture. Two objects
/// differ in shape or colour, are at least <see cref="Gap"/> pixels apart along the axis of their relation, and are off across it by at
/// most three quarters of what they are along it: exactly one of the four relations is right, and clearly so.
/// </summary>
public static class ShapesWorld
{
    /// <summary>Free pixels between an object and the edge of the picture.</summary>
    public const double Margin = 1;

    /// <summary>Least number of pixels between the boxes of two objects.</summary>
    public const double Gap = 3;

    /// <summary>Bounding boxes of small objects, in pixels.</summary>
    public const double SmallestSmall = 14, LargestSmall = 20;

    /// <summary>Bounding boxes of large objects, in pixels.</summary>
    public const double SmallestLarge = 26, LargestLarge = 36;

    private const double MostAcross = 0.75;

    private static readonly BackgroundColor[] BackgroundColors = Enum.GetValues<BackgroundColor>();
    private static readonly BackgroundTexture[] Textures = Enum.GetValues<BackgroundTexture>();
    private static readonly ShapeSize[] Sizes = Enum.GetValues<ShapeSize>();
    private static readonly Relation[] AllRelations = Enum.GetValues<Relation>();

    /// <summary>All 64 pairs of shape and colour.</summary>
    public static IReadOnlyList<ShapePair> Pairs { get; } =
        [.. from kind in Enum.GetValues<ShapeKind>() from color in Enum.GetValues<ShapeColor>() select new ShapePair(kind, color)];

    /// <summary>The pairs that no training scene or caption has.</summary>
    public static IReadOnlyList<ShapePair> HeldOutPairs { get; } = [.. Pairs.Where(IsHeldOut)];

    /// <summary>The pairs that training scenes are made of.</summary>
    public static IReadOnlyList<ShapePair> SeenPairs { get; } = [.. Pairs.Where(pair => !IsHeldOut(pair))];

    /// <summary>
    /// The rule: of the first six shapes s (numbered from 0), the colour number (3 s + 1) mod 8 is held out. As 3 and 8 have no common factor, these are
    /// six different colours, so that each shape still comes in at least seven colours and each colour in at least seven shapes.
    /// </summary>
    public static bool IsHeldOut(ShapePair pair) => (int)pair.Kind < 6 && (int)pair.Color == (3 * (int)pair.Kind + 1) % 8;

    /// <summary>Scene <paramref name="index"/> of a stream.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public static ShapeScene Scene(ulong seed, ShapesSplit split, long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        var random = new CounterRandom(seed, DataRandomPurpose.Scene, (long)split, index);
        return Make(random, split, 1 + random.NextBelow(2));
    }

    /// <summary>The picture of scene <paramref name="index"/> of a stream, with the background's texture that belongs to it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public static Picture Picture(ulong seed, ShapesSplit split, long index) =>
        ShapeRenderer.Render(Scene(seed, split, index), new CounterRandom(seed, DataRandomPurpose.BackgroundTexture, (long)split, index).NextKey());

    /// <summary>A random scene of one or two objects.</summary>
    internal static ShapeScene Make(CounterRandom random, ShapesSplit split, int objects)
    {
        var background = new ShapeBackground(random.NextOf(BackgroundColors), random.NextOf(Textures));
        var first = random.NextOf(split == ShapesSplit.HeldOut ? HeldOutPairs : SeenPairs);
        if (objects == 1)
        {
            var size = random.NextOf(Sizes);
            var box = Box(size, random);
            return new ShapeScene(background, [new ShapeObject(first.Kind, first.Color, size, Place(box, random), Place(box, random), box)], null);
        }

        var choices = split == ShapesSplit.HeldOut ? Pairs : SeenPairs;
        var second = random.NextOf(choices);
        while (second == first) second = random.NextOf(choices);
        // The held-out one of two comes first or second.
        return Arrange(random, background, random.NextChance(0.5) ? [first, second] : [second, first]);
    }

    private static ShapeScene Arrange(CounterRandom random, ShapeBackground background, ShapePair[] pairs)
    {
        var relation = random.NextOf(AllRelations);
        ShapeSize[] sizes = [random.NextOf(Sizes), random.NextOf(Sizes)];
        double[] boxes = sizes is [ShapeSize.Large, ShapeSize.Large] ? TwoLarge(random) : [Box(sizes[0], random), Box(sizes[1], random)];

        // Along the axis, what is free falls before, between and behind the two, cut at two random places.
        var vertical = relation is Relation.Above or Relation.Below;
        var (near, far) = relation is Relation.Above or Relation.LeftOf ? (0, 1) : (1, 0);
        var free = ShapeRenderer.Side - 2 * Margin - Gap - boxes[0] - boxes[1];
        var (cut, otherCut) = (random.NextBetween(0, free), random.NextBetween(0, free));
        var along = new double[2];
        along[near] = Margin + Math.Min(cut, otherCut) + boxes[near] / 2;
        along[far] = Margin + Math.Max(cut, otherCut) + boxes[near] + Gap + boxes[far] / 2;

        // Across it, the second stays near enough to the first. Both ranges have the same middle, so that there is always room.
        var reach = MostAcross * Math.Abs(along[0] - along[1]);
        var across = new double[2];
        across[0] = Place(boxes[0], random);
        across[1] = random.NextBetween(
            Math.Max(Margin + boxes[1] / 2, across[0] - reach), Math.Min(ShapeRenderer.Side - Margin - boxes[1] / 2, across[0] + reach));

        var made = new ShapeObject[2];
        for (var i = 0; i < 2; i++)
            made[i] = new ShapeObject(pairs[i].Kind, pairs[i].Color, sizes[i], vertical ? across[i] : along[i], vertical ? along[i] : across[i], boxes[i]);
        return new ShapeScene(background, made, relation);
    }

    private static double Box(ShapeSize size, CounterRandom random) =>
        size == ShapeSize.Small ? random.NextBetween(SmallestSmall, LargestSmall) : random.NextBetween(SmallestLarge, LargestLarge);

    // Together at most 59 pixels: what exceeds 26 each is a uniform point of a triangle.
    private static double[] TwoLarge(CounterRandom random)
    {
        var spare = ShapeRenderer.Side - 2 * Margin - Gap - 2 * SmallestLarge;
        var (a, b) = (random.NextUniform(), random.NextUniform());
        return [SmallestLarge + spare * Math.Min(a, b), SmallestLarge + spare * (1 - Math.Max(a, b))];
    }

    private static double Place(double box, CounterRandom random) =>
        random.NextBetween(Margin + box / 2, ShapeRenderer.Side - Margin - box / 2);
}
