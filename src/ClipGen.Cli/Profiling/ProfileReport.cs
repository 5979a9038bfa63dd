using ClipGen.Kernels;

namespace ClipGen.Cli.Profiling;

/// <summary>A profile in seconds: what the table, the trace and the page are made from.</summary>
internal sealed class ProfileReport
{
    public ProfileReport(string command, Profiler profiler, ProfiledDevice? device, ProfilePeaks? peaks, long peakBytes)
    {
        (Command, Profiler, Device, Peaks, PeakBytes) = (command, profiler, device, peaks, peakBytes);
        WallSeconds = Profiler.Seconds(profiler.Ended - profiler.Started);
        var main = profiler.Tracks.FirstOrDefault();
        Places = main is null ? [] : [.. Walk(main.Root, 0, "").Skip(1)];
        Ops = Totals(main is null ? [] : [main]);
        OtherThreads = Totals(profiler.Tracks.Skip(1));
        OpSeconds = Ops.Sum(op => op.Seconds);
        Host = [.. Places.Where(place => place.HostSeconds > 0).GroupBy(place => place.Top, StringComparer.Ordinal).Select(group => (group.Key, group.Sum(place => place.HostSeconds))).OrderByDescending(part => part.Item2)];
        OutsideSeconds = Math.Max(0, WallSeconds - OpSeconds - Host.Sum(part => part.Seconds));
    }

    /// <summary>The command as it was typed.</summary>
    public string Command { get; }

    public Profiler Profiler { get; }

    public ProfiledDevice? Device { get; }

    /// <summary>The device's roofs; null where they were not measured.</summary>
    public ProfilePeaks? Peaks { get; }

    public long PeakBytes { get; }

    /// <summary>From the command's begin to its end.</summary>
    public double WallSeconds { get; }

    /// <summary>Kinds of op on the command's own thread, the longest first.</summary>
    public IReadOnlyList<OpLine> Ops { get; }

    /// <summary>The same on threads beside it, which load weights.</summary>
    public IReadOnlyList<OpLine> OtherThreads { get; }

    /// <summary>Modules and phases, each before those inside it.</summary>
    public IReadOnlyList<PlaceLine> Places { get; }

    /// <summary>Time in ops.</summary>
    public double OpSeconds { get; }

    /// <summary>Time of the host inside phases and outside ops, by the outermost phase.</summary>
    public IReadOnlyList<(string Phase, double Seconds)> Host { get; }

    /// <summary>Time in no op and no phase.</summary>
    public double OutsideSeconds { get; }

    /// <summary>Which roof is the lower one for so much work: <c>compute</c>, <c>memory</c>, or nothing where none was measured.</summary>
    public string Roof(double flops, double bytes) => Peaks is null ? "" : flops / Peaks.Flops >= bytes / Peaks.ReadBytes ? "compute" : "memory";

    /// <summary>The least time for the work over the time it took; above 1 where data came from caches, NaN where no roof was measured.</summary>
    public double Share(OpLine op) => Peaks is null ? double.NaN : Peaks.Floor(op.Flops, op.Bytes) / op.Seconds;

    private static IReadOnlyList<OpLine> Totals(IEnumerable<ProfileTrack> tracks) =>
        [.. tracks.SelectMany(track => track.Root.All).SelectMany(node => node.Ops).GroupBy(op => op.Op, StringComparer.Ordinal).Select(group => OpLine.Of(group.Key, group)).OrderByDescending(op => op.Seconds)];

    private static IEnumerable<PlaceLine> Walk(ProfileNode node, int depth, string top)
    {
        if (depth == 1) top = node.Name;
        yield return new PlaceLine(node, depth, top);
        foreach (var child in node.Children)
            foreach (var line in Walk(child, depth + 1, top)) yield return line;
    }
}

/// <summary>What a kind of op cost.</summary>
internal sealed record OpLine(string Op, long Calls, double Seconds, double CallSeconds, double Flops, double Bytes)
{
    public static OpLine Of(string op, IEnumerable<OpTotal> totals)
    {
        var all = totals.ToList();
        return new OpLine(op, all.Sum(t => t.Calls), Profiler.Seconds(all.Sum(t => t.Ticks)), Profiler.Seconds(all.Sum(t => t.CallTicks)), all.Sum(t => t.Flops), all.Sum(t => t.Bytes));
    }
}

/// <summary>What was spent in a module or phase.</summary>
internal sealed class PlaceLine
{
    public PlaceLine(ProfileNode node, int depth, string top)
    {
        (Node, Depth, Top) = (node, depth, top);
        Seconds = Profiler.Seconds(node.Ticks);
        OwnOps = OpLine.Of("", node.Ops);
        HostSeconds = Profiler.Seconds(node.HostTicks);
        AllOps = OpLine.Of("", node.All.SelectMany(inner => inner.Ops));
    }

    public ProfileNode Node { get; }

    /// <summary>1 for a phase that is in no other.</summary>
    public int Depth { get; }

    /// <summary>Name of the phase at depth 1.</summary>
    public string Top { get; }

    public string Name => Node.Name;

    public long Calls => Node.Calls;

    /// <summary>Between entering and leaving, all calls.</summary>
    public double Seconds { get; }

    /// <summary>In ops called from here itself.</summary>
    public OpLine OwnOps { get; }

    /// <summary>In ops called from here and from places inside.</summary>
    public OpLine AllOps { get; }

    /// <summary>In neither an op nor a place inside.</summary>
    public double HostSeconds { get; }
}
