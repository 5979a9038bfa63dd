namespace ClipGen.Data.Shapes;

/// <summary>An object that the detector found.</summary>
/// <param name="Kind">The shape that fits best.</param>
/// <param name="Color">The nearest colour of the palette.</param>
/// <param name="Size">Small or large, by <paramref name="Box"/>.</param>
/// <param name="CentreX">Middle of the fitted shape's box in pixels.</param>
/// <param name="CentreY">Middle of the fitted shape's box in pixels.</param>
/// <param name="Box">Side of the fitted shape's box in pixels.</param>
/// <param name="Match">How well the shape fits: soft intersection over union of what is seen and the fitted shape, 0 to 1.</param>
public readonly record struct DetectedObject(ShapeKind Kind, ShapeColor Color, ShapeSize Size, double CentreX, double CentreY, double Box, double Match);

/// <summary>What the detector sees in a picture.</summary>
/// <param name="Background">The nearest background colour.</param>
/// <param name="Objects">The objects from top to bottom, then from left to right.</param>
public sealed record DetectedScene(BackgroundColor Background, IReadOnlyList<DetectedObject> Objects)
{
    /// <summary>Where an object is, seen from another, by their centres.</summary>
    public static Relation RelationOf(DetectedObject first, DetectedObject second) =>
        Relations.FromOffset(first.CentreX - second.CentreX, first.CentreY - second.CentreY);
}
