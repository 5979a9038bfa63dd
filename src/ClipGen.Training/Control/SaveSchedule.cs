using System.Globalization;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Control;

/// <summary>When to save: every so many steps (at their multiples), or every so much time since the last save.</summary>
public sealed class SaveSchedule
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(365);
    private readonly long steps;
    private readonly TimeSpan interval;
    private long lastStep;
    private TimeSpan lastElapsed;

    private SaveSchedule(long steps, TimeSpan interval) => (this.steps, this.interval) = (steps, interval);

    /// <summary>Every ten minutes.</summary>
    public static SaveSchedule Default => new(0, TimeSpan.FromMinutes(10));

    /// <summary>Reads <c>--save-every</c>: <c>500</c> or <c>500steps</c>; <c>90s</c>, <c>10m</c>, <c>2h</c>.</summary>
    /// <exception cref="FormatException">Anything else, nothing, or more than a year.</exception>
    public static SaveSchedule Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var trimmed = text.Trim();
        var digits = trimmed.TakeWhile(char.IsAsciiDigit).Count();
        var unit = trimmed[digits..].TrimStart();
        if (!long.TryParse(trimmed.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count < 1) throw Unknown(text);
        long? seconds = unit switch
        {
            "" or "step" or "steps" => null,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => throw Unknown(text),
        };
        if (seconds is null) return new SaveSchedule(count, TimeSpan.Zero);
        if (count > (long)Longest.TotalSeconds / seconds) throw Unknown(text);
        return new SaveSchedule(0, TimeSpan.FromSeconds(count * seconds.Value));
    }

    /// <summary>Whether to save now.</summary>
    /// <param name="step">Steps done in the whole run.</param>
    /// <param name="elapsed">Time since the process began to train.</param>
    public bool IsDue(long step, TimeSpan elapsed) => steps > 0 ? step / steps > lastStep / steps : elapsed - lastElapsed >= interval;

    /// <summary>Tells of a save, due or not; at the start of a resumed run, of the step that it continues from.</summary>
    public void Saved(long step, TimeSpan elapsed) => (lastStep, lastElapsed) = (step, elapsed);

    /// <summary>The schedule in the form that <see cref="Parse"/> reads.</summary>
    public override string ToString() => steps > 0 ? string.Create(CultureInfo.InvariantCulture, $"{steps}steps") : interval switch
    {
        { Minutes: 0, Seconds: 0 } => string.Create(CultureInfo.InvariantCulture, $"{(long)interval.TotalHours}h"),
        { Seconds: 0 } => string.Create(CultureInfo.InvariantCulture, $"{(long)interval.TotalMinutes}m"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(long)interval.TotalSeconds}s"),
    };

    private static FormatException Unknown(string text) =>
        new($"--save-every {OneLine.Of(text)}: expected steps (\"500\") or a time of at most a year (\"90s\", \"10m\", \"2h\"), at least 1");
}
