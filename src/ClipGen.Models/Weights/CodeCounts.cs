namespace ClipGen.Models;

/// <summary>How often two VQ-GANs' codes stood at the same places of the same pictures: what each code of the one is to the other.</summary>
/// <param name="from">Codes of the first.</param>
/// <param name="to">Codes of the second.</param>
public sealed class CodeCounts(int from, int to)
{
    private readonly Dictionary<int, long>[] rows = [.. Enumerable.Range(0, to).Select(_ => new Dictionary<int, long>())];
    private readonly long[] totals = new long[from];

    /// <summary>Codes of the first.</summary>
    public int From => from;

    /// <summary>Codes of the second.</summary>
    public int To => to;

    /// <summary>Places counted.</summary>
    public long Total { get; private set; }

    /// <summary>Share of the places where the first's code is the one that is most frequent with the second's.</summary>
    public double Agreement => (double)rows.Sum(row => row.Count == 0 ? 0 : row.Values.Max()) / Total;

    /// <summary>Counts a place.</summary>
    public void Add(int fromCode, int toCode)
    {
        rows[toCode][fromCode] = rows[toCode].GetValueOrDefault(fromCode) + 1;
        totals[fromCode]++;
        Total++;
    }

    /// <summary>Places where both stood.</summary>
    public long Both(int fromCode, int toCode) => rows[toCode].GetValueOrDefault(fromCode);

    /// <summary>Places of a code of the first.</summary>
    public long Of(int fromCode) => totals[fromCode];

    /// <summary>Shares of the first's codes where the second has this one; where it never has, shares of them everywhere.</summary>
    public IEnumerable<(int Code, double Share)> SharesOf(int toCode)
    {
        var row = rows[toCode];
        if (row.Count == 0) return Enumerable.Range(0, from).Where(code => totals[code] > 0).Select(code => (code, (double)totals[code] / Total));
        double sum = row.Values.Sum();
        return row.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value / sum));
    }
}
