namespace ClipGen.Data.Shapes;

/// <summary>A sentence and the scene that it asks for.</summary>
/// <param name="Scene">The objects and their relation; of the places only the relation is asked for.</param>
/// <param name="Caption">The canonical caption.</param>
public sealed record ShapePrompt(ShapeScene Scene, string Caption);

/// <summary>Sentences to judge a model by.</summary>
public static class ShapePrompts
{
    /// <summary>Random prompts: the first <paramref name="count"/> of a sequence that is a function of the other arguments.</summary>
    /// <param name="seed">The sequence.</param>
    /// <param name="heldOut">Whether the object, or at least one of two, is a pair that training never shows; else no object is.</param>
    /// <param name="objects">1 or 2.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are neither one nor two objects, or the count is negative.</exception>
    public static IReadOnlyList<ShapePrompt> Make(ulong seed, bool heldOut, int objects, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(objects, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(objects, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var split = heldOut ? ShapesSplit.HeldOut : ShapesSplit.Validation;
        var prompts = new ShapePrompt[count];
        for (var i = 0; i < count; i++)
        {
            var scene = ShapesWorld.Make(new CounterRandom(seed, DataRandomPurpose.Prompt, (long)split, objects, i), split, objects);
            prompts[i] = new ShapePrompt(scene, ShapeCaptions.Canonical(scene));
        }
        return prompts;
    }
}
