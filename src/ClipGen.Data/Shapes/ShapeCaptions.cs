namespace ClipGen.Data.Shapes;

/// <summary>
/// Sentences about scenes. <see cref="Canonical"/> has one wording for each scene; <see cref="Caption"/> varies it, and <see cref="Partial"/> tells of one of two objects:
/// <code>
/// caption    = [opening] (object | object relation object | object "with" object relation "it" | object "and" object) [background]
/// object     = [article] [size] colour shape
/// background = "on" ["a"] colour ["background"] | "against a" colour "background"
/// partial    = article [size] [colour] shape relation
/// </code>
/// A relation is told from either object. What a caption says of a scene is always true; it may leave out sizes, the relation and the background.
/// </summary>
public static class ShapeCaptions
{
    /// <summary>Number of ids that the longest caption needs, start and end token included, rounded up to a multiple of 8.</summary>
    public const int ContextLength = 24;

    // Each list begins with the canonical wording.
    private static readonly string[] Openings = ["a picture of", "an image of", "there is"];
    private static readonly string[] Articles = ["a", "an"];
    private static readonly string[] Joints = ["with", "it", "and", "on", "against", "background"];
    private static readonly string[][] Sizes = [["small", "little", "tiny"], ["large", "big", "huge"]];
    private static readonly string[][] Backgrounds = [["white"], ["black"], ["gray", "grey"], ["brown"]];
    private static readonly string[][] Colors = [["red"], ["green"], ["blue"], ["yellow"], ["purple"], ["orange"], ["cyan"], ["pink"]];

    private static readonly string[][] Kinds =
        [["circle", "disc"], ["square", "box"], ["triangle"], ["star"], ["cross", "plus"], ["diamond", "rhombus"], ["ring", "hoop"], ["heart"]];

    private static readonly string[][] Relations =
    [
        ["above", "over"],
        ["below", "under", "beneath"],
        ["left of", "to the left of", "on the left of"],
        ["right of", "to the right of", "on the right of"],
    ];

    /// <summary>Every word that a caption can have, in ordinal order.</summary>
    public static IReadOnlyList<string> Words { get; } =
    [
        .. new[] { Openings, Articles, Joints }.Concat(Sizes).Concat(Backgrounds).Concat(Colors).Concat(Kinds).Concat(Relations)
            .SelectMany(phrases => phrases).SelectMany(phrase => phrase.Split(' ')).Distinct().Order(StringComparer.Ordinal),
    ];

    /// <summary>The plain wording: "a large red circle on a white background", "a small blue square above a large yellow star on a black background".</summary>
    public static string Canonical(ShapeScene scene)
    {
        ArgumentNullException.ThrowIfNull(scene);
        var text = CanonicalObject(scene.Objects[0]);
        if (scene.Relation is { } relation) text += $" {Relations[(int)relation][0]} {CanonicalObject(scene.Objects[1])}";
        return $"{text} on a {Backgrounds[(int)scene.Background.Color][0]} background";
    }

    /// <summary>One of many wordings.</summary>
    /// <param name="scene">What to describe.</param>
    /// <param name="random">Decides the wording.</param>
    /// <param name="oneTelling">Whether two objects are told of as the upper one above the lower or the left one left of the right, and not from either and in other orders (<see cref="ShapesLesson"/>).</param>
    public static string Caption(ShapeScene scene, CounterRandom random, bool oneTelling = false)
    {
        ArgumentNullException.ThrowIfNull(scene);
        ArgumentNullException.ThrowIfNull(random);
        var opening = random.NextChance(0.3) ? random.NextOf(Openings) + " " : "";
        var articles = random.NextChance(0.9);
        return opening + Subject(scene, articles, random, oneTelling) + Background(scene.Background, random);
    }

    /// <summary>
    /// One of two objects, and where it is: "a blue square above", "a circle to the left of". An embedding that lies near such sentences says each object's shape by itself, whatever the other is. The place is never left out: "a circle" alone
    /// would draw sentences about one object towards pictures of two.
    /// </summary>
    /// <param name="scene">What to describe: two objects.</param>
    /// <param name="random">Decides which object, what of it, and the wording.</param>
    /// <exception cref="ArgumentException">The scene has one object.</exception>
    public static string Partial(ShapeScene scene, CounterRandom random)
    {
        ArgumentNullException.ThrowIfNull(scene);
        ArgumentNullException.ThrowIfNull(random);
        if (scene.Relation is not { } relation) throw new ArgumentException("a scene of one object has no part to tell of", nameof(scene));
        var second = random.NextChance(0.5);
        var shape = scene.Objects[second ? 1 : 0];
        var text = Wording(Kinds[(int)shape.Kind], 0.9, random);
        if (random.NextChance(0.4)) text = $"{Colors[(int)shape.Color][0]} {text}";
        if (random.NextChance(0.4)) text = $"{Wording(Sizes[(int)shape.Size], 0.5, random)} {text}";
        return $"{WithArticle(text)} {Wording(Relations[(int)(second ? relation.Reverse() : relation)], 0.5, random)}";
    }

    private static string Subject(ShapeScene scene, bool articles, CounterRandom random, bool oneTelling)
    {
        if (scene.Relation is not { } relation) return Object(scene.Objects[0], articles, random);
        var (first, second) = (scene.Objects[0], scene.Objects[1]);
        if (oneTelling ? relation is Relation.Below or Relation.RightOf : random.NextChance(0.5)) (first, second, relation) = (second, first, relation.Reverse());
        var (a, b, where) = (Object(first, articles, random), Object(second, articles, random), Wording(Relations[(int)relation], 0.5, random));
        return (oneTelling ? 0 : random.NextBelow(10)) switch
        {
            < 7 => $"{a} {where} {b}",
            < 9 => $"{b} with {a} {where} it",
            _ => $"{a} and {b}",
        };
    }

    private static string Background(ShapeBackground background, CounterRandom random)
    {
        var color = Wording(Backgrounds[(int)background.Color], 0.7, random);
        return random.NextBelow(20) switch
        {
            < 9 => $" on a {color} background",
            < 12 => $" on {color}",
            < 15 => $" against a {color} background",
            _ => "",
        };
    }

    private static string Object(ShapeObject shape, bool article, CounterRandom random)
    {
        var text = $"{Colors[(int)shape.Color][0]} {Wording(Kinds[(int)shape.Kind], 0.9, random)}";
        if (random.NextChance(0.9)) text = $"{Wording(Sizes[(int)shape.Size], 0.5, random)} {text}";
        return article ? WithArticle(text) : text;
    }

    // Of the words that can come first, only "orange" begins with a vowel.
    private static string WithArticle(string text) => text[0] == 'o' ? $"an {text}" : $"a {text}";

    private static string CanonicalObject(ShapeObject shape) =>
        $"a {Sizes[(int)shape.Size][0]} {Colors[(int)shape.Color][0]} {Kinds[(int)shape.Kind][0]}";

    // The first wording with the given probability, the others equally often.
    private static string Wording(string[] words, double first, CounterRandom random) =>
        words.Length == 1 || random.NextChance(first) ? words[0] : words[1 + random.NextBelow(words.Length - 1)];
}
