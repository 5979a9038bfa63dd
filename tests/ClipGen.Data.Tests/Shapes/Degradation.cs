namespace ClipGen.Data.Tests.Shapes;

/// <summary>What a decoder does to pictures: blur, overshoot at edges, noise, colours a little off.</summary>
internal static class Degradation
{
    /// <summary>A worse picture.</summary>
    /// <param name="picture">The picture.</param>
    /// <param name="blur">Standard deviation of a Gaussian in pixels.</param>
    /// <param name="ringing">How much of the difference to a twice blurred picture is added.</param>
    /// <param name="noise">Standard deviation per channel, in 255 steps.</param>
    /// <param name="shift">Each channel is moved by up to this many steps.</param>
    /// <param name="seed">Decides noise and shift.</param>
    public static Picture Apply(Picture picture, double blur, double ringing, double noise, double shift, long seed)
    {
        var random = new CounterRandom((ulong)seed, 0xDE6);
        var (width, height) = (picture.Width, picture.Height);
        var once = Blur([.. picture.Rgb.Select(v => (double)v)], width, height, blur);
        var twice = Blur(once, width, height, blur);
        double[] shifts = [random.NextBetween(-shift, shift), random.NextBetween(-shift, shift), random.NextBetween(-shift, shift)];
        var result = new Picture(width, height);
        for (var i = 0; i < once.Length; i++)
        {
            // The sum of four uniform numbers, less 2, has variance 1/3.
            var normal = (random.NextUniform() + random.NextUniform() + random.NextUniform() + random.NextUniform() - 2) * Math.Sqrt(3);
            result.Rgb[i] = (byte)Math.Clamp(Math.Round(once[i] + ringing * (once[i] - twice[i]) + noise * normal + shifts[i % 3]), 0, 255);
        }
        return result;
    }

    private static double[] Blur(double[] values, int width, int height, double deviation)
    {
        var reach = (int)Math.Ceiling(3 * deviation);
        var weights = Enumerable.Range(-reach, 2 * reach + 1).Select(k => Math.Exp(-k * k / (2 * deviation * deviation))).ToArray();
        var sum = weights.Sum();
        var rows = new double[values.Length];
        var result = new double[values.Length];
        for (var pass = 0; pass < 2; pass++)
        {
            var (from, to) = pass == 0 ? (values, rows) : (rows, result);
            for (var i = 0; i < from.Length; i++)
            {
                var (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
                for (var k = -reach; k <= reach; k++)
                {
                    var at = pass == 0 ? y * width + Math.Clamp(x + k, 0, width - 1) : Math.Clamp(y + k, 0, height - 1) * width + x;
                    to[i] += weights[k + reach] / sum * from[at * 3 + c];
                }
            }
        }
        return result;
    }
}
