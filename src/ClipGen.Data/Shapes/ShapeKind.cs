namespace ClipGen.Data.Shapes;

/// <summary>The shapes of the synthetic world. Each fills its square bounding box: it touches all four sides.</summary>
public enum ShapeKind
{
    /// <summary>A disc.</summary>
    Circle,

    /// <summary>An upright square.</summary>
    Square,

    /// <summary>Apex above, base as wide as the triangle is high.</summary>
    Triangle,

    /// <summary>Five points, one of them up.</summary>
    Star,

    /// <summary>An upright plus sign.</summary>
    Cross,

    /// <summary>A square on its corner.</summary>
    Diamond,

    /// <summary>A disc with a round hole.</summary>
    Ring,

    /// <summary>Two lobes above, one tip below.</summary>
    Heart,
}
