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
    private static readonly ShapeKind[] Kinds = Enum.GetValues<ShapeKind>();
    private static readonly ShapeColor[] Colors = Enum.GetValues<ShapeColor>();

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
        Picture(Scene(seed, split, index), seed, split, index);

    /// <summary>A scene with the background's texture of place <paramref name="index"/> of a stream.</summary>
    public static Picture Picture(ShapeScene scene, ulong seed, ShapesSplit split, long index) =>
        ShapeRenderer.Render(scene, new CounterRandom(seed, DataRandomPurpose.BackgroundTexture, (long)split, index).NextKey());

    /// <summary>A random scene of one or two objects.</summary>
    internal static ShapeScene Make(CounterRandom random, ShapesSplit split, int objects)
    {
        var background = new ShapeBackground(random.NextOf(BackgroundColors), random.NextOf(Textures));
        var first = random.NextOf(split == ShapesSplit.HeldOut ? HeldOutPairs : SeenPairs);
        if (objects == 1) return Lay(random, background, new Contents(new Subject(first, random.NextOf(Sizes)), null, null));

        var choices = split == ShapesSplit.HeldOut ? Pairs : SeenPairs;
        var second = random.NextOf(choices);
        while (second == first) second = random.NextOf(choices);
        // The held-out one of two comes first or second.
        var (one, other) = random.NextChance(0.5) ? (first, second) : (second, first);
        var relation = random.NextOf(AllRelations);
        return Lay(random, background, new Contents(new Subject(one, random.NextOf(Sizes)), new Subject(other, random.NextOf(Sizes)), relation));
    }

    /// <summary>
    /// Member <paramref name="member"/> of a family: the first is a scene like any other, each further one differs from it in one thing that a caption tells (and from the others), and all have places,
    /// exact sizes and textures of their own. What sets them apart is little beside what random scenes differ in, so a model that is to tell them apart has to look at it: hard negatives. Three of four families are of two objects.
    /// </summary>
    /// <param name="seed">The stream.</param>
    /// <param name="split">Which scenes; not the held-out ones, whose changes would mostly not be held out.</param>
    /// <param name="family">Number of the family.</param>
    /// <param name="member">From 0 to <see cref="LargestFamily"/> - 1.</param>
    /// <param name="arranged">The share of families of two objects that hold one thing in all its arrangements instead: the same two objects in the other relations, and with their colours, then their sizes, exchanged in each of
    /// the four. Among changes of all kinds the relation is told too rarely for a model to find out that places matter.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range, or the split is the held-out one.</exception>
    public static ShapeScene Relative(ulong seed, ShapesSplit split, long family, int member, double arranged)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(split, ShapesSplit.HeldOut);
        ArgumentOutOfRangeException.ThrowIfNegative(family);
        ArgumentOutOfRangeException.ThrowIfNegative(member);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(member, LargestFamily);
        if (!(arranged >= 0 && arranged <= 1)) throw new ArgumentOutOfRangeException(nameof(arranged), arranged, "a share is from 0 to 1");
        CounterRandom Random(int of) => new(seed, DataRandomPurpose.HardNegative, (long)split, family, of);
        var random = Random(0);
        var scene = Make(random, split, random.NextBelow(4) == 0 ? 1 : 2);
        if (member == 0) return scene;
        var members = new Contents[member + 1];
        members[0] = Contents.Of(scene);
        var arrangements = random.NextChance(arranged) ? members[0].Arrangements() : [];
        for (int i = 1, next = 0; i <= member; i++)
        {
            random = Random(i);
            do members[i] = next < arrangements.Count ? arrangements[next++] : Changed(members[0], random);
            while (!members[i].IsSeen || members.AsSpan(0, i).Contains(members[i]) || members.AsSpan(0, i).Contains(members[i].Mirrored));
        }
        return Lay(random, scene.Background with { Texture = random.NextOf(Textures) }, members[member]);
    }

    /// <summary>Members of a family at most: as many scenes as surely differ from one of a single object in one thing, and some to spare.</summary>
    public const int LargestFamily = 8;

    /// <summary>The contents with one thing changed; what comes out may be a held-out pair or two objects that are alike.</summary>
    private static Contents Changed(Contents old, CounterRandom random)
    {
        var draw = random.NextUniform();
        if (old.Second is not { } second) return old with { First = Changed(old.First, random, draw < 0.6 ? 0 : draw < 0.85 ? 1 : 2) };
        // Two of five changes are of what belongs to which, the others of one object. Every other relation comes up: a model that only has to tell a relation from its reverse learns which object is first, not whether one is above or beside the other.
        if (draw < 0.15) return old with { Relation = random.NextOf(AllRelations) };
        if (draw < 0.3) return old.Recoloured(second);
        if (draw < 0.4) return old.Resized(second);
        var what = draw < 0.7 ? 0 : draw < 0.9 ? 1 : 2;
        return random.NextChance(0.5) ? old with { First = Changed(old.First, random, what) } : old with { Second = Changed(second, random, what) };
    }

    private static Subject Changed(Subject old, CounterRandom random, int what) => what switch
    {
        0 => old with { Pair = old.Pair with { Kind = random.NextOf(Kinds) } },
        1 => old with { Pair = old.Pair with { Color = random.NextOf(Colors) } },
        _ => old with { Size = old.Size == ShapeSize.Small ? ShapeSize.Large : ShapeSize.Small },
    };

    /// <summary>Exact sizes and places for what a scene holds.</summary>
    private static ShapeScene Lay(CounterRandom random, ShapeBackground background, Contents contents)
    {
        var first = contents.First;
        if (contents is { Second: { } second, Relation: { } relation }) return Lay(random, background, first, second, relation);
        var box = Box(first.Size, random);
        return new ShapeScene(background, [new ShapeObject(first.Pair.Kind, first.Pair.Color, first.Size, Place(box, random), Place(box, random), box)], null);
    }

    private static ShapeScene Lay(CounterRandom random, ShapeBackground background, Subject first, Subject second, Relation relation)
    {
        double[] boxes = (first.Size, second.Size) is (ShapeSize.Large, ShapeSize.Large) ? TwoLarge(random) : [Box(first.Size, random), Box(second.Size, random)];

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

        ShapeObject Made(Subject subject, int i) => new(subject.Pair.Kind, subject.Pair.Color, subject.Size, vertical ? across[i] : along[i], vertical ? along[i] : across[i], boxes[i]);
        return new ShapeScene(background, [Made(first, 0), Made(second, 1)], relation);
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

    /// <summary>What captions say of an object.</summary>
    private readonly record struct Subject(ShapePair Pair, ShapeSize Size);

    /// <summary>What captions say of a scene whose background is given.</summary>
    private readonly record struct Contents(Subject First, Subject? Second, Relation? Relation)
    {
        /// <summary>Whether training may show it.</summary>
        public bool IsSeen => !IsHeldOut(First.Pair) && (Second is not { } second || !IsHeldOut(second.Pair) && second.Pair != First.Pair);

        /// <summary>The same scene told from its other object: two alike but for their colours, one above the other, read the same with the relation reversed as with the colours exchanged.</summary>
        public Contents Mirrored => Second is { } second ? new(second, First, Relation!.Value.Reverse()) : this;

        /// <summary>The same two objects in every relation, then the same with their colours exchanged, and with their sizes exchanged. Some may be alike.</summary>
        public IReadOnlyList<Contents> Arrangements()
        {
            if (Second is not { } second) return [];
            return [.. from contents in new[] { this, Recoloured(second), Resized(second) } from relation in AllRelations select contents with { Relation = relation }];
        }

        /// <summary>The two objects with their colours exchanged.</summary>
        public Contents Recoloured(Subject second) =>
            this with { First = First with { Pair = First.Pair with { Color = second.Pair.Color } }, Second = second with { Pair = second.Pair with { Color = First.Pair.Color } } };

        /// <summary>The two objects with their sizes exchanged.</summary>
        public Contents Resized(Subject second) => this with { First = First with { Size = second.Size }, Second = second with { Size = First.Size } };

        public static Contents Of(ShapeScene scene) => new(Of(scene.Objects[0]), scene.Objects.Count > 1 ? Of(scene.Objects[1]) : null, scene.Relation);

        private static Subject Of(ShapeObject made) => new(new ShapePair(made.Kind, made.Color), made.Size);
    }
}
