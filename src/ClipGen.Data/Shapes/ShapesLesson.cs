namespace ClipGen.Data.Shapes;

/// <summary>What CLIP sees of the synthetic world: which scenes come together in a batch, and how sentences tell of them.</summary>
/// <param name="Family">Scenes of a family of hard negatives (<see cref="ShapesWorld.Relative"/>), from 1, which are scenes that have nothing to do with each other, to <see cref="ShapesWorld.LargestFamily"/>.</param>
/// <param name="Arranged">The share of families of two objects whose members are the same two in every arrangement, from 0 to 1.</param>
/// <param name="OneTelling">Whether two objects are always told of as the upper one above the lower one, or the left one left of the right one. What comes first in the sentence is then what is first in the picture, which is found out
/// soon; that "a red circle above a blue square" and "a blue square below a red circle" are the same is a second lesson.</param>
/// <param name="Partial">The share of sentences about two objects that tell of one of them only, from 0 to 1 (<see cref="ShapeCaptions.Partial"/>).</param>
public readonly record struct ShapesLesson(int Family, double Arranged = 0, bool OneTelling = false, double Partial = 0)
{
    /// <summary>Independent scenes, told of in every way.</summary>
    public static ShapesLesson None => new(1);

    /// <summary>What CLIP learns from, if nothing else is asked for.</summary>
    public static ShapesLesson Usual => new(ShapesWorld.LargestFamily, 0.5);
}
