namespace ClipGen.Data.Shapes;

/// <summary>The two sizes of objects, by the side of their bounding box.</summary>
public enum ShapeSize
{
    /// <summary>14 to 20 pixels.</summary>
    Small,

    /// <summary>26 to 36 pixels.</summary>
    Large,
}
