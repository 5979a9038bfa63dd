using ClipGen.Data;

namespace ClipGen.Cli.Explaining;

/// <summary>Numbers as colours: dark blue over green to yellow, even steps of brightness.</summary>
internal static class HeatMap
{
    // Points of a scale that gets lighter evenly and is told apart by those who see no red.
    private static readonly (byte R, byte G, byte B)[] Scale = [(28, 20, 68), (44, 62, 122), (36, 104, 140), (38, 144, 134), (86, 182, 106), (170, 212, 74), (250, 230, 60)];

    /// <summary>The colour of a share between 0 and 1.</summary>
    public static (byte R, byte G, byte B) Colour(double share)
    {
        var place = Math.Clamp(double.IsNaN(share) ? 0 : share, 0, 1) * (Scale.Length - 1);
        var (low, part) = ((int)Math.Min(place, Scale.Length - 2), place - Math.Min((int)place, Scale.Length - 2));
        var (a, b) = (Scale[low], Scale[low + 1]);
        return (Mix(a.R, b.R), Mix(a.G, b.G), Mix(a.B, b.B));

        byte Mix(byte from, byte to) => (byte)Math.Round(from + (to - from) * part);
    }

    /// <summary>The colour as CSS has it.</summary>
    public static string Css(double share)
    {
        var (r, g, b) = Colour(share);
        return $"#{r:x2}{g:x2}{b:x2}";
    }

    /// <summary>A picture of values, the least darkest and the largest lightest.</summary>
    public static Picture Draw(IReadOnlyList<float> values, int width, int height)
    {
        var (low, high) = (values.Min(), values.Max());
        var picture = new Picture(width, height);
        for (var i = 0; i < values.Count; i++)
            (picture.Rgb[3 * i], picture.Rgb[3 * i + 1], picture.Rgb[3 * i + 2]) = Colour(high > low ? (values[i] - low) / (double)(high - low) : 0);
        return picture;
    }
}
