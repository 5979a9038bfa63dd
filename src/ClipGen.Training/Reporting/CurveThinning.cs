namespace ClipGen.Training.Reporting;

/// <summary>Long curves with few points.</summary>
internal static class CurveThinning
{
    /// <summary>
    /// At most <paramref name="most"/> points that draw the same picture: the first, the last, and of each of equally many points between
    /// them the lowest and the highest in their order. A piece with a value that is not finite keeps one such value, so that the gap stays.
    /// </summary>
    /// <param name="points">Points by rising step.</param>
    /// <param name="most">Largest number of points, even and at least 4.</param>
    public static IReadOnlyList<(long Step, double Value)> MinMax(IReadOnlyList<(long Step, double Value)> points, int most)
    {
        if (points.Count <= most) return points;
        var buckets = (most - 2) / 2;
        var inner = points.Count - 2;
        List<(long Step, double Value)> kept = [points[0]];
        for (var bucket = 0; bucket < buckets; bucket++)
        {
            var (from, to) = (1 + (int)((long)bucket * inner / buckets), 1 + (int)((long)(bucket + 1) * inner / buckets));
            int low = -1, high = -1, gap = -1;
            for (var i = from; i < to; i++)
            {
                var value = points[i].Value;
                if (!double.IsFinite(value)) gap = i;
                else
                {
                    if (low < 0 || value < points[low].Value) low = i;
                    if (high < 0 || value > points[high].Value) high = i;
                }
            }
            var (one, other) = gap < 0 ? (low, high) : (high, gap);
            foreach (var index in one == other || one < 0 ? (int[])[other] : [Math.Min(one, other), Math.Max(one, other)]) kept.Add(points[index]);
        }
        kept.Add(points[^1]);
        return kept;
    }

    /// <summary>The curve's course: means of the finite values of <paramref name="count"/> pieces of equally many points, at each piece's mean step; none for fewer than four points a piece.</summary>
    public static IReadOnlyList<(long Step, double Value)> Means(IReadOnlyList<(long Step, double Value)> points, int count)
    {
        if (points.Count < 4 * count) return [];
        List<(long Step, double Value)> means = [];
        for (var piece = 0; piece < count; piece++)
        {
            var part = points.Skip((int)((long)piece * points.Count / count)).Take((int)((long)(piece + 1) * points.Count / count) - (int)((long)piece * points.Count / count)).Where(point => double.IsFinite(point.Value)).ToArray();
            means.Add(part.Length > 0 ? ((long)part.Average(point => (double)point.Step), part.Average(point => point.Value)) : (points[(int)((long)piece * points.Count / count)].Step, double.NaN));
        }
        return means;
    }
}
