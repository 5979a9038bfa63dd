namespace ClipGen.Data.Shapes;

/// <summary>The colours of backgrounds; <see cref="ShapePalette"/> has their values.</summary>
public enum BackgroundColor
{
    /// <summary>#FFFFFF.</summary>
    White,

    /// <summary>#101010.</summary>
    Black,

    /// <summary>#868E96.</summary>
    Gray,

    /// <summary>#6F4E37.</summary>
    Brown,
}

/// <summary>How a background is filled.</summary>
public enum BackgroundTexture
{
    /// <summary>One colour.</summary>
    Plain,

    /// <summary>Brightness changes along a line by 4 % of the full range to either side.</summary>
    Gradient,

    /// <summary>Each channel of each pixel is off by a few of 255 steps (standard deviation 2).</summary>
    Noise,
}

/// <summary>A background: its colour and how it is filled. Captions name the colour only.</summary>
public readonly record struct ShapeBackground(BackgroundColor Color, BackgroundTexture Texture = BackgroundTexture.Plain);
