namespace ClipGen.Data.Shapes;

/// <summary>One object of a scene.</summary>
/// <param name="Kind">Its shape.</param>
/// <param name="Color">Its colour.</param>
/// <param name="Size">Its size in words.</param>
/// <param name="CentreX">Middle of the bounding box in pixels from the left edge; pixel i covers [i, i + 1].</param>
/// <param name="CentreY">Middle of the bounding box in pixels from the upper edge.</param>
/// <param name="Box">Side of the square bounding box in pixels.</param>
public readonly record struct ShapeObject(ShapeKind Kind, ShapeColor Color, ShapeSize Size, double CentreX, double CentreY, double Box)
{
    /// <summary>Shape and colour: what is held out as a pair.</summary>
    public ShapePair Pair => new(Kind, Color);
}

/// <summary>A shape in a colour.</summary>
public readonly record struct ShapePair(ShapeKind Kind, ShapeColor Color);

/// <summary>What a picture of the synthetic world shows.</summary>
/// <param name="Background">What is behind the objects.</param>
/// <param name="Objects">One or two objects.</param>
/// <param name="Relation">Where the first object is, seen from the second; null for one object.</param>
public sealed record ShapeScene(ShapeBackground Background, IReadOnlyList<ShapeObject> Objects, Relation? Relation);
