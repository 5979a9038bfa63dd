namespace ClipGen.Training.Reporting;

/// <summary>Speed over the last while: early steps and slow moments are forgotten.</summary>
internal sealed class RateWindow
{
    private static readonly TimeSpan Span = TimeSpan.FromMinutes(1);
    private readonly Queue<(TimeSpan Time, long Step, long Images)> samples = new();
    private (TimeSpan Time, long Step, long Images) last;

    /// <summary>So much was done at that time. Samples older than a minute go, but two stay.</summary>
    public void Add(TimeSpan time, long step, long images)
    {
        last = (time, step, images);
        samples.Enqueue(last);
        while (samples.Count > 2 && time - samples.Peek().Time > Span) samples.Dequeue();
    }

    /// <summary>Seconds per step, or NaN before two steps can be compared.</summary>
    public double SecondsPerStep => samples.Count > 0 && last.Step > samples.Peek().Step ? (last.Time - samples.Peek().Time).TotalSeconds / (last.Step - samples.Peek().Step) : double.NaN;

    /// <summary>Images per second, or NaN before any time has passed.</summary>
    public double ImagesPerSecond => samples.Count > 0 && last.Time > samples.Peek().Time ? (last.Images - samples.Peek().Images) / (last.Time - samples.Peek().Time).TotalSeconds : double.NaN;
}
