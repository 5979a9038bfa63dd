namespace ClipGen.Data.Shapes;

/// <summary>
/// Reads a picture of the synthetic world without any learned model. It knows what <see cref="ShapeRenderer"/> paints:
/// <list type="number">
/// <item>the median of the outermost pixels is the background;</item>
/// <item>pixels that differ from it form 4-connected regions; specks are ignored;</item>
/// <item>a region's most frequent palette colour is its colour c; each pixel p then shows the object by the share
/// a = (p - b)(c - b) / |c - b|^2, where b is the background around the region. What that mixture does not explain becomes a region of its own;</item>
/// <item>for each shape, the box follows from the shares' sum and centre of mass (the moments of order 0 and 1, after Hu 1962), the shape is painted there, and the one
/// with the largest soft intersection over union, sum min(a, t) / sum max(a, t), is taken; its box says small or large.</item>
/// </list>
/// </summary>
public static class ShapeDetector
{
    /// <summary>Boxes of at least this many pixels are large: midway between the largest small and the smallest large object.</summary>
    public const double LargeFrom = 23;

    private const int Side = ShapeRenderer.Side;

    // Less than half of the 103 steps between the closest object and background, more than twice what a gradient changes (17).
    private const float LeastDifference = 45;
    private const float LargestResidual = 45;
    private const int SmallestArea = 12;
    private const int FringeReach = 2;
    private const int SurroundReach = 5;

    private static readonly Color[] Palette = [.. Enum.GetValues<ShapeColor>().Select(c => Color.Of(ShapePalette.Of(c)))];
    private static readonly ShapeKind[] Kinds = Enum.GetValues<ShapeKind>();
    private static readonly BackgroundColor[] BackgroundColors = Enum.GetValues<BackgroundColor>();

    /// <summary>The scene that a picture shows.</summary>
    /// <exception cref="ArgumentException">The picture is not 64 x 64.</exception>
    public static DetectedScene Read(Picture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        if (picture.Width != Side || picture.Height != Side)
            throw new ArgumentException($"the detector reads pictures of {Side} x {Side} pixels, found {picture.Width} x {picture.Height}");
        var pixels = new Color[Side * Side];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = new Color(picture.Rgb[3 * i], picture.Rgb[3 * i + 1], picture.Rgb[3 * i + 2]);
        var background = Median([.. pixels.Where((_, i) => i % Side is 0 or Side - 1 || i / Side is 0 or Side - 1)]);

        var foreground = new bool[pixels.Length];
        for (var i = 0; i < pixels.Length; i++) foreground[i] = (pixels[i] - background).Length > LeastDifference;
        var objects = new List<DetectedObject>();
        var regions = new Queue<List<int>>(Regions(foreground));
        while (regions.TryDequeue(out var region))
        {
            var around = Surround(pixels, foreground, region, background);
            if (Dominant(pixels, region, around) is not var (color, core)) continue;
            var axis = core - around;
            var unexplained = new bool[pixels.Length];
            var left = 0;
            foreach (var i in region)
                if (!Explains(pixels[i] - around, axis))
                {
                    unexplained[i] = true;
                    left++;
                }
            // A part of another colour is another object; a region that explains nothing of itself would come back for ever.
            if (left == region.Count) continue;
            if (left >= SmallestArea)
                foreach (var part in Regions(unexplained))
                    regions.Enqueue(part);
            var own = region.Where(i => !unexplained[i]).ToList();
            if (own.Count >= SmallestArea && Fit(Shares(pixels, foreground, own, around, axis), color) is { } found) objects.Add(found);
        }
        return new DetectedScene(
            BackgroundColors.MinBy(c => (Color.Of(ShapePalette.Of(c)) - background).Length),
            [.. objects.OrderBy(o => o.CentreY).ThenBy(o => o.CentreX)]);
    }

    // 4-connected regions of at least the smallest area, in the order of their first pixels.
    private static List<List<int>> Regions(bool[] mask)
    {
        var seen = new bool[mask.Length];
        var found = new List<List<int>>();
        for (var start = 0; start < mask.Length; start++)
        {
            if (!mask[start] || seen[start]) continue;
            var region = new List<int> { start };
            seen[start] = true;
            for (var k = 0; k < region.Count; k++)
            {
                var i = region[k];
                if (i % Side > 0) Visit(i - 1);
                if (i % Side < Side - 1) Visit(i + 1);
                if (i >= Side) Visit(i - Side);
                if (i < mask.Length - Side) Visit(i + Side);
            }
            if (region.Count >= SmallestArea) found.Add(region);

            void Visit(int i)
            {
                if (!mask[i] || seen[i]) return;
                seen[i] = true;
                region.Add(i);
            }
        }
        return found;
    }

    // The median of the background pixels near a region, beyond its fringe: follows gradients.
    private static Color Surround(Color[] pixels, bool[] foreground, List<int> region, Color background)
    {
        var fringe = Grow(region, FringeReach);
        var near = Grow(region, SurroundReach);
        var around = new List<Color>();
        for (var i = 0; i < pixels.Length; i++)
            if (near[i] && !fringe[i] && !foreground[i])
                around.Add(pixels[i]);
        return around.Count >= SmallestArea ? Median(around) : background;
    }

    // The palette colour that most of a region's clear pixels are nearest to, and the median of those pixels.
    private static (ShapeColor Color, Color Core)? Dominant(Color[] pixels, List<int> region, Color around)
    {
        var differences = region.Select(i => (pixels[i] - around).Length).Order().ToList();
        var clear = 0.85f * differences[differences.Count * 9 / 10];
        var votes = new List<Color>?[Palette.Length];
        foreach (var i in region)
            if ((pixels[i] - around).Length >= clear)
                (votes[(int)Nearest(pixels[i])] ??= []).Add(pixels[i]);
        var core = Median(votes.MaxBy(v => v?.Count ?? 0)!);
        return (core - around).Length > LeastDifference ? (Nearest(core), core) : null;
    }

    private static ShapeColor Nearest(Color pixel)
    {
        var best = 0;
        for (var i = 1; i < Palette.Length; i++)
            if ((Palette[i] - pixel).Length < (Palette[best] - pixel).Length)
                best = i;
        return (ShapeColor)best;
    }

    private static bool Explains(Color difference, Color axis)
    {
        var share = Math.Clamp(Color.Dot(difference, axis) / Color.Dot(axis, axis), 0, 1.2f);
        return (difference - axis * share).Length <= LargestResidual;
    }

    // What each pixel shows of an object; nothing beyond its fringe, nor where another object is.
    private static float[] Shares(Color[] pixels, bool[] foreground, List<int> own, Color around, Color axis)
    {
        var shares = new float[pixels.Length];
        var fringe = Grow(own, FringeReach);
        var square = Color.Dot(axis, axis);
        for (var i = 0; i < pixels.Length; i++)
            if (fringe[i] && !foreground[i])
                shares[i] = Share(i);
        foreach (var i in own) shares[i] = Share(i);
        return shares;

        float Share(int i) => Math.Clamp(Color.Dot(pixels[i] - around, axis) / square, 0, 1);
    }

    private static DetectedObject? Fit(float[] shares, ShapeColor color)
    {
        double area = 0, x = 0, y = 0;
        var seen = new List<int>();
        for (var i = 0; i < shares.Length; i++)
        {
            if (shares[i] == 0) continue;
            seen.Add(i);
            area += shares[i];
            x += shares[i] * (i % Side + 0.5);
            y += shares[i] * (i / Side + 0.5);
        }
        if (area < SmallestArea / 2.0) return null;

        var best = default(DetectedObject);
        Span<float> painted = stackalloc float[Side * Side];
        foreach (var kind in Kinds)
        {
            var outline = ShapeOutline.Of(kind);
            var box = Math.Sqrt(area / outline.AreaShare);
            var (centreX, centreY) = (x / area - outline.CentroidX * box, y / area - outline.CentroidY * box);
            painted.Clear();
            ShapeRenderer.Cover(kind, centreX, centreY, box, painted);
            double shared = 0, covered = 0;
            foreach (var i in seen) shared += Math.Min(shares[i], painted[i]);
            foreach (var share in painted) covered += share;
            var either = area + covered - shared; // max(a, t) = a + t - min(a, t)
            if (shared > best.Match * either)
                best = new DetectedObject(kind, color, box < LargeFrom ? ShapeSize.Small : ShapeSize.Large, centreX, centreY, box, shared / either);
        }
        return best;
    }

    // All pixels at most `reach` columns and rows away: first along rows, then along columns.
    private static bool[] Grow(List<int> region, int reach)
    {
        bool[] wide = new bool[Side * Side], grown = new bool[Side * Side];
        foreach (var i in region)
        {
            var row = i - i % Side;
            wide.AsSpan()[Math.Max(i - reach, row)..Math.Min(i + reach + 1, row + Side)].Fill(true);
        }
        for (var i = 0; i < grown.Length; i++)
            if (wide[i])
                for (var j = Math.Max(i - reach * Side, i % Side); j <= i + reach * Side && j < grown.Length; j += Side)
                    grown[j] = true;
        return grown;
    }

    // Channel by channel, by counting: pixels are whole numbers from 0 to 255.
    private static Color Median(List<Color> colors)
    {
        var counts = new int[3 * 256];
        foreach (var color in colors)
        {
            counts[(int)color.R]++;
            counts[256 + (int)color.G]++;
            counts[512 + (int)color.B]++;
        }
        return new Color(Middle(0), Middle(256), Middle(512));

        int Middle(int from)
        {
            var value = 0;
            for (var below = counts[from]; below <= colors.Count / 2; below += counts[from + value]) value++;
            return value;
        }
    }

    private readonly record struct Color(float R, float G, float B)
    {
        public float Length => MathF.Sqrt(Dot(this, this));

        public static Color Of(Rgb rgb) => new(rgb.Red, rgb.Green, rgb.Blue);

        public static float Dot(Color a, Color b) => a.R * b.R + a.G * b.G + a.B * b.B;

        public static Color operator -(Color a, Color b) => new(a.R - b.R, a.G - b.G, a.B - b.B);

        public static Color operator *(Color a, float factor) => new(a.R * factor, a.G * factor, a.B * factor);
    }
}
