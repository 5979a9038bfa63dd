namespace ClipGen.Data.Shapes;

/// <summary>An sRGB colour of 8 bits per channel.</summary>
public readonly record struct Rgb(byte Red, byte Green, byte Blue);

/// <summary>The colours of the synthetic world. The closest object and background (green on brown) are 103 steps apart, the closest objects (red and orange) 72.</summary>
public static class ShapePalette
{
    /// <summary>A colour of objects.</summary>
    public static Rgb Of(ShapeColor color) => color switch
    {
        ShapeColor.Red => new(0xE0, 0x31, 0x31),
        ShapeColor.Green => new(0x2F, 0x9E, 0x44),
        ShapeColor.Blue => new(0x1C, 0x5F, 0xD6),
        ShapeColor.Yellow => new(0xFF, 0xD4, 0x3B),
        ShapeColor.Purple => new(0x8E, 0x24, 0xAA),
        ShapeColor.Orange => new(0xF7, 0x67, 0x07),
        ShapeColor.Cyan => new(0x22, 0xB8, 0xCF),
        ShapeColor.Pink => new(0xF0, 0x65, 0x95),
        _ => throw new ArgumentOutOfRangeException(nameof(color), color, "not a colour of objects"),
    };

    /// <summary>A colour of backgrounds.</summary>
    public static Rgb Of(BackgroundColor color) => color switch
    {
        BackgroundColor.White => new(0xFF, 0xFF, 0xFF),
        BackgroundColor.Black => new(0x10, 0x10, 0x10),
        BackgroundColor.Gray => new(0x86, 0x8E, 0x96),
        BackgroundColor.Brown => new(0x6F, 0x4E, 0x37),
        _ => throw new ArgumentOutOfRangeException(nameof(color), color, "not a colour of backgrounds"),
    };
}
