using System.Globalization;
using System.Text.Json;

namespace ClipGen.Cli.Profiling;

/// <summary>A profile as a table for the terminal, or as JSON.</summary>
internal static class ProfileTable
{
    private const double LeastShare = 0.005;
    private const int MostPlaces = 40;

    /// <summary>Writes ops, host, and the places that took the most time.</summary>
    public static void Write(TextWriter output, ProfileReport report)
    {
        var wall = report.WallSeconds;
        var onCard = report.Device?.Name.StartsWith("cuda", StringComparison.Ordinal) == true;
        output.WriteLine($"{"op",-24} {"calls",9} {"time",10} {"share",6}   {"GFLOP/s",8} {"GB/s",7}   {"of roof",-14}{(onCard ? "  until it returns" : "")}");
        foreach (var op in report.Ops)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{op.Op,-24} {op.Calls,9} {MeasuredText.Time(op.Seconds),10} {op.Seconds / wall,6:P1}   {op.Flops / op.Seconds / 1e9,8:F1} {op.Bytes / op.Seconds / 1e9,7:F1}   {Roof(report, op),-14}{(onCard ? $"  {MeasuredText.Time(op.CallSeconds),10}" : "")}").TrimEnd());
        output.WriteLine(Row("all ops", report.OpSeconds, wall));
        foreach (var (phase, seconds) in report.Host.Where(part => part.Seconds / wall >= LeastShare)) output.WriteLine(Row($"host: {phase}", seconds, wall));
        var small = report.Host.Where(part => part.Seconds / wall < LeastShare).Sum(part => part.Seconds);
        if (small > 0) output.WriteLine(Row("host: other phases", small, wall));
        output.WriteLine(Row("host: outside all phases", report.OutsideSeconds, wall));
        output.WriteLine(Row("wall time", wall, wall));
        foreach (var op in report.OtherThreads)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  other threads: {op.Op}, {op.Calls} calls, {MeasuredText.Time(op.Seconds)}"));

        List<PlaceLine> shown = [.. report.Places.Where(place => place.Seconds / wall >= LeastShare).OrderByDescending(place => place.Seconds).Take(MostPlaces)];
        if (shown.Count == 0) return;
        output.WriteLine();
        output.WriteLine($"{"place",-52} {"calls",7} {"time",10} {"share",6}   {"in ops",10}   {"GFLOP/s",8}");
        foreach (var place in report.Places.Where(shown.Contains))
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Indented(place),-52} {place.Calls,7} {MeasuredText.Time(place.Seconds),10} {place.Seconds / wall,6:P1}   {MeasuredText.Time(place.AllOps.Seconds),10}   {(place.AllOps.Seconds > 0 ? place.AllOps.Flops / place.AllOps.Seconds / 1e9 : 0),8:F1}"));
        var rest = report.Places.Count - shown.Count;
        if (rest > 0) output.WriteLine($"({rest} places of less time are on the page)");
    }

    /// <summary>Everything but the single events, for programs.</summary>
    public static string Json(ProfileReport report, string trace, string page) => JsonSerializer.Serialize(new
    {
        command = report.Command,
        device = report.Device?.Name,
        threads = report.Device?.Threads,
        wall_s = report.WallSeconds,
        ops_s = report.OpSeconds,
        outside_s = report.OutsideSeconds,
        peak_bytes = report.PeakBytes,
        peaks = report.Peaks is { } peaks ? new { gflops = peaks.Flops / 1e9, read_gb_s = peaks.ReadBytes / 1e9 } : null,
        dropped_events = report.Profiler.DroppedEvents,
        ops = report.Ops.Select(op => Line(report, op)),
        other_threads = report.OtherThreads.Select(op => Line(report, op)),
        host = report.Host.Select(part => new { phase = part.Phase, seconds = part.Seconds }),
        places = report.Places.Select(place => new { name = place.Name, depth = place.Depth, calls = place.Calls, seconds = place.Seconds, ops_s = place.AllOps.Seconds, flops = place.AllOps.Flops, bytes = place.AllOps.Bytes, host_s = place.HostSeconds }),
        trace,
        page,
    });

    /// <summary>Share of the lower roof and which it is.</summary>
    internal static string Roof(ProfileReport report, OpLine op)
    {
        var share = report.Share(op);
        return double.IsNaN(share) || op.Flops + op.Bytes == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{share,5:P0} {report.Roof(op.Flops, op.Bytes)}");
    }

    private static object Line(ProfileReport report, OpLine op) => new
    {
        op = op.Op,
        calls = op.Calls,
        seconds = op.Seconds,
        call_s = op.CallSeconds,
        flops = op.Flops,
        bytes = op.Bytes,
        roof = report.Roof(op.Flops, op.Bytes),
        of_roof = double.IsNaN(report.Share(op)) ? (double?)null : report.Share(op),
    };

    private static string Row(string what, double seconds, double wall) => string.Create(CultureInfo.InvariantCulture, $"{what,-24} {"",9} {MeasuredText.Time(seconds),10} {seconds / wall,6:P1}");

    private static string Indented(PlaceLine place)
    {
        var text = new string(' ', 2 * (place.Depth - 1)) + ShownText.Of(place.Name);
        return text.Length <= 52 ? text : text[..51] + "…";
    }
}
