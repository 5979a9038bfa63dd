using System.Globalization;

namespace ClipGen.Training.Control;

/// <summary>Lengths of time, short enough for a column.</summary>
public static class DurationText
{
    /// <summary>At most seven characters: <c>45s</c>, <c>12m</c>, <c>3h 05m</c>, <c>2d 04h</c>, <c>412d</c>; whole units, rounded down, never negative.</summary>
    public static string Of(TimeSpan duration)
    {
        if (duration < TimeSpan.Zero) duration = TimeSpan.Zero;
        return duration switch
        {
            { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Seconds}s"),
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Minutes}m"),
            { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Hours}h {duration.Minutes:D2}m"),
            { TotalDays: < 100 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Days}d {duration.Hours:D2}h"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{duration.Days}d"),
        };
    }
}
