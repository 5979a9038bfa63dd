namespace ClipGen.Data.Shapes;

/// <summary>The colours of objects; <see cref="ShapePalette"/> has their values.</summary>
public enum ShapeColor
{
    /// <summary>#E03131.</summary>
    Red,

    /// <summary>#2F9E44.</summary>
    Green,

    /// <summary>#1C5FD6.</summary>
    Blue,

    /// <summary>#FFD43B.</summary>
    Yellow,

    /// <summary>#8E24AA.</summary>
    Purple,

    /// <summary>#F76707.</summary>
    Orange,

    /// <summary>#22B8CF.</summary>
    Cyan,

    /// <summary>#F06595.</summary>
    Pink,
}
