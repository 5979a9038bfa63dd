using System.Numerics;
using ClipGen.Kernels;

namespace ClipGen.Data.Shapes;

/// <summary>
/// Paints scenes. Edges are anti-aliased: a pixel shows an object by the share of its area that the object covers, exact along the row and by
/// 16 sampled lines down the pixel. The same scene and key give the same bytes everywhere.
/// </summary>
public static class ShapeRenderer
{
    /// <summary>Width and height of every picture.</summary>
    public const int Side = 64;

    /// <summary>Largest change of brightness by a gradient, in 255 steps: 4 % of the range.</summary>
    internal const int GradientReach = 10;

    // Noise is the number of ones among 16 random bits, less 8: standard deviation 2.
    private const int NoiseDeviation = 2;
    private const int LinesPerPixel = 16;
    private const int MostCrossings = 8;

    /// <summary>The picture of a scene, 64 x 64.</summary>
    /// <param name="scene">What to paint; parts outside the picture are cut off.</param>
    /// <param name="noiseKey">Decides the noise, or the direction of the gradient.</param>
    public static Picture Render(ShapeScene scene, ulong noiseKey)
    {
        ArgumentNullException.ThrowIfNull(scene);
        var picture = new Picture(Side, Side);
        FillBackground(picture.Rgb, scene.Background, noiseKey);
        Span<float> coverage = stackalloc float[Side * Side];
        foreach (var shape in scene.Objects)
        {
            coverage.Clear();
            Cover(shape.Kind, shape.CentreX, shape.CentreY, shape.Box, coverage);
            Blend(picture.Rgb, coverage, ShapePalette.Of(shape.Color));
        }
        return picture;
    }

    /// <summary>Adds to each of 64 x 64 pixels the share of its area that a shape covers.</summary>
    /// <param name="kind">The shape.</param>
    /// <param name="centreX">Middle of its box.</param>
    /// <param name="centreY">Middle of its box.</param>
    /// <param name="box">Side of its box in pixels.</param>
    /// <param name="coverage">The pixels, row by row.</param>
    internal static void Cover(ShapeKind kind, double centreX, double centreY, double box, Span<float> coverage)
    {
        var outline = ShapeOutline.Of(kind);
        var scale = box / 2;
        Span<double> crossings = stackalloc double[MostCrossings];
        var first = Math.Max((int)Math.Floor(centreY - scale), 0);
        var last = Math.Min((int)Math.Ceiling(centreY + scale), Side) - 1;
        for (var row = first; row <= last; row++)
        {
            var pixels = coverage.Slice(row * Side, Side);
            for (var line = 0; line < LinesPerPixel; line++)
            {
                var y = (row + (line + 0.5) / LinesPerPixel - centreY) / scale;
                var count = 0;
                foreach (ref readonly var edge in outline.Edges.AsSpan())
                {
                    // The lower end belongs to the next edge: a corner is crossed once.
                    if (y < edge.Y0 || y >= edge.Y1) continue;
                    var x = edge.X0 + (edge.X1 - edge.X0) * ((y - edge.Y0) / (edge.Y1 - edge.Y0));
                    var at = count++;
                    for (; at > 0 && crossings[at - 1] > x; at--) crossings[at] = crossings[at - 1];
                    crossings[at] = x;
                }
                for (var i = 0; i + 1 < count; i += 2)
                    CoverSpan(pixels, centreX + crossings[i] * scale, centreX + crossings[i + 1] * scale);
            }
        }
    }

    private static void CoverSpan(Span<float> pixels, double from, double to)
    {
        from = Math.Clamp(from, 0, Side);
        to = Math.Clamp(to, 0, Side);
        for (var x = (int)from; x < to; x++)
            pixels[x] += (float)((Math.Min(to, x + 1) - Math.Max(from, x)) / LinesPerPixel);
    }

    private static void Blend(byte[] rgb, ReadOnlySpan<float> coverage, Rgb color)
    {
        for (var i = 0; i < coverage.Length; i++)
        {
            var share = coverage[i];
            if (share == 0) continue;
            var pixel = rgb.AsSpan(i * 3, 3);
            pixel[0] = Mix(pixel[0], color.Red, share);
            pixel[1] = Mix(pixel[1], color.Green, share);
            pixel[2] = Mix(pixel[2], color.Blue, share);
        }

        // The sum of a pixel's shares may exceed 1 by rounding, which the half absorbs.
        static byte Mix(byte below, byte above, float share) => (byte)(below + (above - below) * share + 0.5f);
    }

    private static void FillBackground(byte[] rgb, ShapeBackground background, ulong key)
    {
        var color = ShapePalette.Of(background.Color);
        switch (background.Texture)
        {
            case BackgroundTexture.Gradient:
                FillGradient(rgb, Inside(color, GradientReach), new CounterRandom(key, DataRandomPurpose.BackgroundTexture));
                break;
            case BackgroundTexture.Noise:
                FillNoise(rgb, Inside(color, 2 * NoiseDeviation), key);
                break;
            default:
                for (var i = 0; i < rgb.Length; i += 3) (rgb[i], rgb[i + 1], rgb[i + 2]) = (color.Red, color.Green, color.Blue);
                break;
        }
    }

    // White and black make room for what is added and taken away, else half of it would be lost.
    private static Rgb Inside(Rgb color, int room) =>
        new(Inside(color.Red, room), Inside(color.Green, room), Inside(color.Blue, room));

    private static byte Inside(byte value, int room) => (byte)Math.Clamp(value, room, 255 - room);

    private static void FillGradient(byte[] rgb, Rgb color, CounterRandom random)
    {
        var angle = random.NextBetween(0, 2 * Math.PI);
        // Rounded against last-bit differences between systems; divided so that the corner farthest along the direction has the full change.
        var (dx, dy) = (Math.Round(Math.Cos(angle), 9), Math.Round(Math.Sin(angle), 9));
        var reach = (Math.Abs(dx) + Math.Abs(dy)) * Side / 2;
        for (var y = 0; y < Side; y++)
            for (var x = 0; x < Side; x++)
            {
                var change = (int)Math.Round(GradientReach * ((x + 0.5 - Side / 2) * dx + (y + 0.5 - Side / 2) * dy) / reach);
                var pixel = rgb.AsSpan((y * Side + x) * 3, 3);
                pixel[0] = (byte)(color.Red + change);
                pixel[1] = (byte)(color.Green + change);
                pixel[2] = (byte)(color.Blue + change);
            }
    }

    private static void FillNoise(byte[] rgb, Rgb color, ulong key)
    {
        // 128 bits of a block make eight values; 8 and 3 channels meet every 24.
        ReadOnlySpan<byte> channels = [color.Red, color.Green, color.Blue];
        for (var i = 0; i < rgb.Length; i += 8)
        {
            var (a, b, c, d) = Philox.Block((uint)(i / 8), 0, 0, DataRandomPurpose.BackgroundTexture, (uint)key, (uint)(key >> 32));
            ReadOnlySpan<uint> words = [a, b, c, d];
            for (var k = 0; k < 8; k++)
            {
                var bits = k % 2 == 0 ? words[k / 2] & 0xFFFF : words[k / 2] >> 16;
                rgb[i + k] = (byte)Math.Clamp(channels[(i + k) % 3] + BitOperations.PopCount(bits) - 8, 0, 255);
            }
        }
    }
}
