using ClipGen.Data.Shapes;

namespace ClipGen.Data.Tests.Shapes;

/// <summary>Coverage, colours and backgrounds.</summary>
public sealed class ShapeRendererTests
{
    private static readonly ShapeBackground White = new(BackgroundColor.White);

    public static TheoryData<ShapeKind, double> Areas => new()
    {
        { ShapeKind.Circle, Math.PI / 4 },
        { ShapeKind.Square, 1 },
        { ShapeKind.Triangle, 0.5 },
        // Ten triangles with sides 1 and 0.45 at an angle of 36 degrees, in a box of 2 sin 72 by 1 + cos 36.
        { ShapeKind.Star, 10 * 0.5 * 0.45 * Math.Sin(Math.PI / 5) / (2 * Math.Sin(2 * Math.PI / 5) * (1 + Math.Cos(Math.PI / 5))) },
        { ShapeKind.Cross, 1 - 0.66 * 0.66 },
        { ShapeKind.Diamond, 0.5 },
        { ShapeKind.Ring, Math.PI / 4 * (1 - 0.55 * 0.55) },
    };

    [Theory]
    [MemberData(nameof(Areas))]
    public void CoveredAreaIsTheShapes(ShapeKind kind, double share)
    {
        Assert.Equal(share, ShapeOutline.Of(kind).AreaShare, 0.002 * share); // polygons of 64 corners lack 0.16 % of a disc
        var coverage = Cover(kind, 30.3, 33.8, 31.4);
        // Sampling by 16 lines per pixel misplaces horizontal edges by up to 1/32 pixel each: 2 x 31.4 / 32 pixels of area.
        Assert.Equal(share * 31.4 * 31.4, coverage.Sum(), share * 31.4 * 31.4 * 0.002 + 2);
    }

    [Fact]
    public void ShapesFillTheirBoxesAndBalance()
    {
        foreach (var kind in Enum.GetValues<ShapeKind>())
        {
            var outline = ShapeOutline.Of(kind);
            var corners = outline.Edges.SelectMany(e => new[] { (X: e.X0, Y: e.Y0), (X: e.X1, Y: e.Y1) }).ToList();
            Assert.Equal((-1.0, 1.0, -1.0, 1.0), (corners.Min(c => c.X), corners.Max(c => c.X), corners.Min(c => c.Y), corners.Max(c => c.Y)));
            double sum = 0, x = 0, y = 0;
            var coverage = Cover(kind, 32, 32, 36);
            for (var i = 0; i < coverage.Length; i++)
            {
                sum += coverage[i];
                x += coverage[i] * (i % 64 + 0.5 - 32);
                y += coverage[i] * (i / 64 + 0.5 - 32);
            }
            // In box sides; sampled lines and pixel centres are worth less than a thirtieth of a pixel of 36.
            Assert.Equal(outline.CentroidX, x / sum / 36, 1e-3);
            Assert.Equal(outline.CentroidY, y / sum / 36, 1e-3);
        }
    }

    [Fact]
    public void SquareCoversPixelsExactly()
    {
        var coverage = Cover(ShapeKind.Square, 10.25, 20.5, 15); // columns 2.75 to 17.75, rows 13 to 28
        for (var row = 0; row < 64; row++)
            for (var column = 0; column < 64; column++)
            {
                var expected = row is < 13 or >= 28 ? 0 : column == 2 ? 0.25 : column is > 2 and < 17 ? 1 : column == 17 ? 0.75 : 0;
                Assert.Equal(expected, coverage[row * 64 + column], 1e-6);
            }
    }

    [Fact]
    public void SymmetricShapesAreSymmetric()
    {
        foreach (var kind in Enum.GetValues<ShapeKind>())
        {
            var coverage = Cover(kind, 32, 32, 27.7);
            for (var row = 0; row < 64; row++)
                for (var column = 0; column < 32; column++)
                    Assert.Equal(coverage[row * 64 + column], coverage[row * 64 + 63 - column], 1e-5); // rounding of floats
        }
    }

    [Fact]
    public void ColoursAreThePalettes()
    {
        foreach (var color in Enum.GetValues<ShapeColor>())
        {
            var picture = ShapeRenderer.Render(new ShapeScene(White, [new(ShapeKind.Square, color, ShapeSize.Large, 32, 32, 30)], null), 0);
            var (r, g, b) = (ShapePalette.Of(color).Red, ShapePalette.Of(color).Green, ShapePalette.Of(color).Blue);
            Assert.Equal([r, g, b], picture.Rgb[((32 * 64 + 32) * 3)..][..3]);
            Assert.Equal([255, 255, 255], picture.Rgb[..3]);
            // The half-covered column lies halfway.
            var half = ShapeRenderer.Render(new ShapeScene(White, [new(ShapeKind.Square, color, ShapeSize.Large, 32.5, 32, 30)], null), 0);
            Assert.InRange(half.Rgb[(32 * 64 + 17) * 3 + 1] - (255 + g) / 2.0, -1, 1);
        }
    }

    [Theory]
    [InlineData(BackgroundColor.White)]
    [InlineData(BackgroundColor.Black)]
    [InlineData(BackgroundColor.Gray)]
    [InlineData(BackgroundColor.Brown)]
    public void TexturesAreFaint(BackgroundColor color)
    {
        var plain = Background(new ShapeBackground(color), 1);
        Assert.Equal(Background(new ShapeBackground(color), 2), plain);
        var gradient = Background(new ShapeBackground(color, BackgroundTexture.Gradient), 1);
        // 4 % of 255 to either side, moved inwards where the range ends.
        Assert.InRange(gradient.Max() - (int)plain.Max(), -1, 11);
        Assert.InRange(gradient.Zip(plain).Max(p => Math.Abs(p.First - p.Second)), 9, 20);
        Assert.NotEqual(gradient, Background(new ShapeBackground(color, BackgroundTexture.Gradient), 2));

        var noise = Background(new ShapeBackground(color, BackgroundTexture.Noise), 1);
        var mean = Enumerable.Range(0, 3).Select(c => noise.Where((_, i) => i % 3 == c).Average(v => (double)v)).ToArray();
        var deviation = Math.Sqrt(noise.Select((v, i) => Math.Pow(v - mean[i % 3], 2)).Average());
        Assert.InRange(deviation, 1.9, 2.1); // 12,288 draws estimate 2 within 0.013; clipping at 255 takes a little
        Assert.NotEqual(noise, Background(new ShapeBackground(color, BackgroundTexture.Noise), 2));

        static byte[] Background(ShapeBackground background, ulong key) => ShapeRenderer.Render(new ShapeScene(background, [], null), key).Rgb;
    }

    [Fact]
    public void PartsOutsideAreCutOff()
    {
        var coverage = Cover(ShapeKind.Square, 2, 63, 16);
        Assert.Equal(10 * 9, coverage.Sum(), 1e-3);
        Assert.All(Cover(ShapeKind.Circle, -40, 100, 20), v => Assert.Equal(0, v));
    }

    private static float[] Cover(ShapeKind kind, double x, double y, double box)
    {
        var coverage = new float[64 * 64];
        ShapeRenderer.Cover(kind, x, y, box, coverage);
        // Sums of sixteen floats exceed 1 by rounding only.
        Assert.All(coverage, v => Assert.InRange(v, 0, 1 + 1e-5f));
        return coverage;
    }
}
