namespace ClipGen.Models.Evaluation;

/// <summary>How many of some trials succeeded.</summary>
/// <param name="Right">Successes.</param>
/// <param name="Count">Trials.</param>
public readonly record struct Proportion(int Right, int Count)
{
    // The standard normal distribution has 95 % of its mass within this many deviations.
    private const double Z = 1.959963984540054;

    /// <summary>The share of successes, 0 to 1; 0 of no trials.</summary>
    public double Share => Count == 0 ? 0 : (double)Right / Count;

    /// <summary>
    /// The 95 % interval of the underlying probability (Wilson 1927): (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n). Unlike p ± z √(p(1 − p)/n) it has a width where
    /// all or no trials succeed, and stays between 0 and 1.
    /// </summary>
    public (double Low, double High) Interval
    {
        get
        {
            if (Count == 0) return (0, 1);
            double p = Share, n = Count, scale = 1 + Z * Z / n;
            var middle = (p + Z * Z / (2 * n)) / scale;
            var half = Z * Math.Sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / scale;
            return (Math.Max(0, middle - half), Math.Min(1, middle + half));
        }
    }

    /// <summary>One more trial.</summary>
    public Proportion With(bool success) => new(Right + (success ? 1 : 0), Count + 1);
}
