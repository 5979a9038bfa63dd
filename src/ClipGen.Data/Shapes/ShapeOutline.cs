namespace ClipGen.Data.Shapes;

/// <summary>
/// A shape as polygons in the box [-1, 1] x [-1, 1], y downwards; a point is inside when a ray from it crosses an odd number of edges. Curves
/// are polygons of 64 corners: at the largest size they are off by 0.02 pixels.
/// </summary>
internal sealed class ShapeOutline
{
    private const int CurveCorners = 64;
    private const double RingHole = 0.55; // radius of the hole; the smallest ring is 3 pixels thick
    private const double StarInner = 0.45; // a pentagram has 0.38: its points vanish at the smallest size
    private const double CrossArm = 0.34;

    private static readonly ShapeOutline[] All = [.. Enum.GetValues<ShapeKind>().Select(Make)];

    private ShapeOutline(params IReadOnlyList<(double X, double Y)>[] loops)
    {
        var edges = new List<Edge>();
        double area = 0, momentX = 0, momentY = 0;
        foreach (var loop in loops)
            for (var i = 0; i < loop.Count; i++)
            {
                var (a, b) = (loop[i], loop[(i + 1) % loop.Count]);
                // Green's theorem; a hole runs the other way round and counts negative.
                var cross = a.X * b.Y - b.X * a.Y;
                area += cross / 2;
                momentX += cross * (a.X + b.X) / 6;
                momentY += cross * (a.Y + b.Y) / 6;
                if (a.Y != b.Y) edges.Add(a.Y < b.Y ? new Edge(a.X, a.Y, b.X, b.Y) : new Edge(b.X, b.Y, a.X, a.Y));
            }
        Edges = [.. edges];
        AreaShare = Math.Abs(area) / 4;
        CentroidX = momentX / area / 2;
        CentroidY = momentY / area / 2;
    }

    /// <summary>A line from (X0, Y0) down to (X1, Y1).</summary>
    public readonly record struct Edge(double X0, double Y0, double X1, double Y1);

    /// <summary>All edges that are not horizontal.</summary>
    public Edge[] Edges { get; }

    /// <summary>The share of the bounding box that is inside.</summary>
    public double AreaShare { get; }

    /// <summary>Where the centre of mass lies right of the box's middle, in box sides.</summary>
    public double CentroidX { get; }

    /// <summary>Where the centre of mass lies below the box's middle, in box sides.</summary>
    public double CentroidY { get; }

    /// <summary>The outline of a shape.</summary>
    public static ShapeOutline Of(ShapeKind kind) => All[(int)kind];

    private static ShapeOutline Make(ShapeKind kind) => kind switch
    {
        ShapeKind.Circle => new(Circle(1)),
        ShapeKind.Square => new([(-1, -1), (1, -1), (1, 1), (-1, 1)]),
        ShapeKind.Triangle => new([(0, -1), (1, 1), (-1, 1)]),
        ShapeKind.Star => new(Fill(Star())),
        ShapeKind.Cross => new(
        [
            (-CrossArm, -1), (CrossArm, -1), (CrossArm, -CrossArm), (1, -CrossArm), (1, CrossArm), (CrossArm, CrossArm),
            (CrossArm, 1), (-CrossArm, 1), (-CrossArm, CrossArm), (-1, CrossArm), (-1, -CrossArm), (-CrossArm, -CrossArm),
        ]),
        ShapeKind.Diamond => new([(0, -1), (1, 0), (0, 1), (-1, 0)]),
        ShapeKind.Ring => new(Circle(1), [.. Circle(RingHole).Reverse()]),
        ShapeKind.Heart => new(Fill(Heart())),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "not a shape"),
    };

    private static IReadOnlyList<(double X, double Y)> Circle(double radius) =>
        [.. Enumerable.Range(0, CurveCorners).Select(i => 2 * Math.PI * i / CurveCorners).Select(t => (Stable(radius * Math.Cos(t)), Stable(radius * Math.Sin(t))))];

    private static IEnumerable<(double X, double Y)> Star()
    {
        for (var i = 0; i < 10; i++)
        {
            var radius = i % 2 == 0 ? 1 : StarInner;
            yield return (radius * Math.Sin(Math.PI * i / 5), -radius * Math.Cos(Math.PI * i / 5));
        }
    }

    // The heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t (Weisstein, MathWorld, "Heart Curve"), turned over.
    private static IEnumerable<(double X, double Y)> Heart()
    {
        for (var i = 0; i < CurveCorners; i++)
        {
            var t = 2 * Math.PI * i / CurveCorners;
            yield return (16 * Math.Pow(Math.Sin(t), 3), -(13 * Math.Cos(t) - 5 * Math.Cos(2 * t) - 2 * Math.Cos(3 * t) - Math.Cos(4 * t)));
        }
    }

    /// <summary>Stretches a polygon so that it touches all four sides of the box.</summary>
    private static IReadOnlyList<(double X, double Y)> Fill(IEnumerable<(double X, double Y)> corners)
    {
        var all = corners.ToList();
        var (left, right) = (all.Min(p => p.X), all.Max(p => p.X));
        var (top, bottom) = (all.Min(p => p.Y), all.Max(p => p.Y));
        return [.. all.Select(p => (Stable((2 * p.X - left - right) / (right - left)), Stable((2 * p.Y - top - bottom) / (bottom - top))))];
    }

    // Sine and cosine may differ in their last bit from system to system; rounded, they make the same pictures everywhere.
    private static double Stable(double value) => Math.Round(value, 9);
}
