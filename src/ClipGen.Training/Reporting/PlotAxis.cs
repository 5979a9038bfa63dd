using System.Globalization;

namespace ClipGen.Training.Reporting;

/// <summary>One axis of a plot: range, linear or logarithmic, ticks and their labels.</summary>
public sealed class PlotAxis
{
    private PlotAxis(double low, double high, bool logarithmic, IReadOnlyList<(double Value, string Label)> ticks) =>
        (Low, High, Logarithmic, Ticks) = (low, high, logarithmic, ticks);

    /// <summary>Where the axis begins.</summary>
    public double Low { get; }

    /// <summary>Where it ends; above <see cref="Low"/>.</summary>
    public double High { get; }

    /// <summary>Whether equal lengths are equal factors.</summary>
    public bool Logarithmic { get; }

    /// <summary>Marks inside the range.</summary>
    public IReadOnlyList<(double Value, string Label)> Ticks { get; }

    /// <summary>Steps from 0 or the first one to the last, no wider than the data.</summary>
    public static PlotAxis ForSteps(long first, long last)
    {
        double low = first <= last / 4 ? 0 : first, high = last > low ? last : low + 1;
        return new PlotAxis(low, high, false, LinearTicks(low, high, 5));
    }

    /// <summary>An axis that holds the values with a little room; logarithmic where all are positive and the largest is more than twenty times the median.</summary>
    /// <param name="values">Finite values, at least one.</param>
    public static PlotAxis ForValues(IReadOnlyCollection<double> values)
    {
        var sorted = values.Order().ToArray();
        double low = sorted[0], high = sorted[^1];
        if (low > 0 && high > 20 * sorted[sorted.Length / 2])
        {
            (low, high) = (low / 1.15, Math.Min(high * 1.15, double.MaxValue));
            return new PlotAxis(low, high, true, LogTicks(low, high));
        }
        // Halves, because the whole range may exceed the largest double.
        var (half, size) = (high / 2 - low / 2, Math.Max(Math.Abs(low), Math.Abs(high)));
        // A constant gets an axis of its own size; a range far below the values would need labels of too many digits.
        var shown = size == 0 ? 0.5 : half == 0 ? size / 2 : Math.Max(half, size * 1e-3);
        var room = shown * 0.1 + (shown - half);
        // Where zero is near, the axis begins there; measures that are never negative do not go below it.
        low = low >= 0 && low < shown * 0.4 ? 0 : Math.Max(low - room, -double.MaxValue);
        high = Math.Min(high + room, double.MaxValue);
        return new PlotAxis(low, high, false, LinearTicks(low, high, 5));
    }

    /// <summary>Where a value lies, 0 at <see cref="Low"/> and 1 at <see cref="High"/>.</summary>
    public double Fraction(double value) => Logarithmic
        ? (Math.Log(value) - Math.Log(Low)) / (Math.Log(High) - Math.Log(Low))
        : (value / 2 - Low / 2) / (High / 2 - Low / 2);

    /// <summary>The step of 1, 2 or 5 times a power of ten that is nearest to a given one.</summary>
    public static double RoundStep(double rough)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        return power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
    }

    private static List<(double, string)> LinearTicks(double low, double high, int about)
    {
        var rough = (high / about) - (low / about);
        var step = RoundStep(rough);
        List<(double, string)> ticks = [];
        for (var i = Math.Ceiling(low / step); i * step <= high && ticks.Count < 20; i++) ticks.Add((i * step, Label(i * step, step)));
        return ticks;
    }

    private static List<(double, string)> LogTicks(double low, double high)
    {
        var decades = Math.Log10(high) - Math.Log10(low);
        var every = Math.Max(1, (int)Math.Ceiling(decades / 6));
        int[] factors = decades < 2.5 ? [1, 2, 5] : [1];
        List<(double, string)> ticks = [];
        for (var exponent = (int)Math.Floor(Math.Log10(low)); exponent <= Math.Log10(high); exponent++)
        {
            if (exponent % every != 0) continue;
            foreach (var factor in factors)
            {
                var value = factor * Math.Pow(10, exponent);
                if (value >= low && value <= high) ticks.Add((value, Label(value, value)));
            }
        }
        return ticks;
    }

    // As many digits as tell neighbouring ticks apart.
    private static string Label(double value, double step)
    {
        if (value == 0) return "0";
        var size = Math.Abs(value);
        var (scale, suffix) = size switch
        {
            < 1e-3 or >= 1e12 => (Math.Pow(10, Math.Floor(Math.Log10(size))), "e"),
            >= 1e9 => (1e9, "G"),
            >= 1e6 => (1e6, "M"),
            >= 1e4 => (1e3, "k"),
            _ => (1, ""),
        };
        var decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step / scale) - 1e-9), 0, 6);
        var text = (value / scale).ToString($"F{decimals}", CultureInfo.InvariantCulture);
        return suffix == "e" ? $"{text}e{Math.Floor(Math.Log10(size)).ToString(CultureInfo.InvariantCulture)}" : text + suffix;
    }
}
