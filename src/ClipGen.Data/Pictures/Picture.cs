namespace ClipGen.Data;

/// <summary>An 8-bit RGB picture: <c>Rgb</c> holds Height x Width x 3 bytes, row by row. The array is the picture's own, not a copy.</summary>
public sealed class Picture
{
    /// <summary>A picture over the given bytes.</summary>
    /// <exception cref="ArgumentException">A side is below 1, or the bytes are not width x height x 3.</exception>
    public Picture(int width, int height, byte[] rgb)
    {
        ArgumentNullException.ThrowIfNull(rgb);
        if (width < 1 || height < 1)
            throw new ArgumentException($"a picture of {width} x {height} pixels is not possible");
        if (rgb.LongLength != ByteCount(width, height))
            throw new ArgumentException($"a picture of {width} x {height} pixels has {ByteCount(width, height):N0} bytes, not {rgb.LongLength:N0}");
        Width = width;
        Height = height;
        Rgb = rgb;
    }

    /// <summary>A black picture.</summary>
    /// <exception cref="ArgumentException">A side is below 1, or the picture is larger than an array can be.</exception>
    public Picture(int width, int height)
        : this(width, height, new byte[Allocatable(width, height)])
    {
    }

    /// <summary>Pixels per row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>The bytes, [Height, Width, 3].</summary>
    public byte[] Rgb { get; }

    private static long ByteCount(int width, int height) => 3L * width * height;

    private static int Allocatable(int width, int height)
    {
        if (width < 1 || height < 1) return 0; // the other constructor refuses the sides
        // The product of two ints fits a long, three times it may not: compare before multiplying.
        if ((long)width * height > Array.MaxLength / 3)
            throw new ArgumentException($"a picture of {width} x {height} pixels is larger than memory can hold in one piece");
        return (int)ByteCount(width, height);
    }
}
