namespace ClipGen.Cli.Benchmarks;

/// <summary>The times of a case's runs.</summary>
internal sealed class BenchTimes
{
    private readonly double[] sorted;

    /// <param name="first">The run before those that count, in seconds: with code not yet compiled and memory not yet at hand.</param>
    /// <param name="seconds">The runs that count, at least one.</param>
    public BenchTimes(double first, IReadOnlyCollection<double> seconds)
    {
        First = first;
        sorted = [.. seconds.Order()];
    }

    public double First { get; }

    public int Count => sorted.Length;

    public double Median => sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;

    public double Least => sorted[0];

    public double Most => sorted[^1];

    /// <summary>A fifth of the runs took at most this long; with few runs the least.</summary>
    public double Percentile20 => sorted[(int)Math.Floor(0.2 * (sorted.Length - 1))];

    /// <summary>A fifth of the runs took at least this long; with few runs the most.</summary>
    public double Percentile80 => sorted[(int)Math.Ceiling(0.8 * (sorted.Length - 1))];
}
