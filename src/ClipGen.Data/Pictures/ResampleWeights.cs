namespace ClipGen.Data;

/// <summary>
/// For each place of a resized line: which source places it sums and their integer weights, as Pillow computes them. With
/// scale = in / out, stretch = max(scale, 1), centre = (i + 0.5) scale: taps from int(centre - s + 0.5) to int(centre + s + 0.5) where
/// s = support * stretch, weight f((x - centre + 0.5) / stretch), normalised to sum 1, rounded to 22 fractional bits.
/// </summary>
internal sealed class ResampleWeights
{
    /// <summary>Fractional bits of a weight: 32 less 8 of the pixel less 2 for sums beyond 1.</summary>
    public const int FractionBits = 32 - 8 - 2;

    private ResampleWeights(int count)
    {
        First = new int[count];
        Offset = new int[count + 1];
    }

    /// <summary>First source place of each output place.</summary>
    public int[] First { get; }

    /// <summary>Where an output place's weights begin in <see cref="Weights"/>; one entry more than places.</summary>
    public int[] Offset { get; }

    /// <summary>All weights, one output place after the other.</summary>
    public int[] Weights { get; private set; } = [];

    /// <summary>Weights from <paramref name="source"/> to <paramref name="target"/> places for a filter that vanishes beyond <paramref name="support"/>.</summary>
    public static ResampleWeights Make(int source, int target, double support, Func<double, double> filter)
    {
        var scale = (double)source / target;
        var stretch = Math.Max(scale, 1);
        var reach = support * stretch;
        var inverse = 1 / stretch;
        var result = new ResampleWeights(target);
        var weights = new List<int>(checked((int)Math.Min((long)(target * (2 * reach + 1)), Array.MaxLength)));
        var line = new double[Math.Min(source, (int)Math.Ceiling(reach) * 2 + 1)];
        for (var i = 0; i < target; i++)
        {
            var centre = (i + 0.5) * scale;
            var first = Math.Max((int)(centre - reach + 0.5), 0);
            var count = Math.Min((int)(centre + reach + 0.5), source) - first;
            var sum = 0.0;
            for (var x = 0; x < count; x++)
            {
                line[x] = filter((x + first - centre + 0.5) * inverse);
                sum += line[x];
            }
            result.First[i] = first;
            for (var x = 0; x < count; x++)
            {
                var weight = (sum != 0 ? line[x] / sum : line[x]) * (1 << FractionBits);
                weights.Add((int)(weight < 0 ? weight - 0.5 : weight + 0.5));
            }
            result.Offset[i + 1] = weights.Count;
        }
        result.Weights = [.. weights];
        return result;
    }
}
