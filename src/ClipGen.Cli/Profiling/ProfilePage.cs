using System.Globalization;
using System.Text;
using ClipGen.Kernels;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Profiling;

/// <summary><c>profile.html</c>: roofline, timeline, memory, flame graph by module and sortable tables in one file that needs no network.</summary>
internal static class ProfilePage
{
    /// <summary>The page as text.</summary>
    public static string Render(ProfileReport report, DateTimeOffset now)
    {
        var html = new StringBuilder();
        html.Append(HtmlPage.Begin($"profile: {report.Command}", EmbeddedText.Read("profile.css"), scripts: true));
        html.Append(CultureInfo.InvariantCulture, $"""
            <header><h1>Profile</h1><pre>{HtmlText.Of(report.Command)}</pre>
            <p class="facts">{HtmlText.Of(report.Device is { } device ? $"{device.Name}, {device.Threads} threads" : "no device")} · {now.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)}</p></header>
            <div class="cells">
            {Cell(MeasuredText.Time(report.WallSeconds), "wall time")}{Cell(Percent(report.OpSeconds / report.WallSeconds), "of it in ops")}{Cell(Number(report.Ops.Sum(op => op.Flops) / report.OpSeconds / 1e9) + " GFLOP/s", "over all ops")}{Cell(MeasuredText.Bytes(report.PeakBytes), "peak of device memory")}{(report.Peaks is { } peaks ? Cell($"{Number(peaks.Flops / 1e9)} GFLOP/s", "measured peak, multiply-adds") + Cell($"{Number(peaks.ReadBytes / 1e9)} GB/s", "measured peak, memory read") : "")}
            </div>

            """);
        if (report.Peaks is not null) Section(html, "Roofline", "Each dot is a kind of op; its area is its time. Left of the bend memory binds, right of it arithmetic. A dot above the roof read from caches what the figure counts as memory, or found a way with fewer operations than it counts (Winograd).", RooflineChart.Render(report));
        Section(html, "Timeline", report.Profiler.DroppedEvents > 0 ? $"The first {report.Profiler.Tracks.Sum(track => track.Events.LongCount()):N0} events; {report.Profiler.DroppedEvents:N0} later ones are in the totals alone." : "Phases and modules by depth, ops in the last row. trace.json beside this page has all of it for Perfetto.", TimelineChart.Render(report));
        Section(html, "Device memory", "Bytes in use after each op.", TimelineChart.RenderMemory(report));
        Section(html, "By module", "Width is time, all calls together; grey is the host's own share.", FlameChart.Render(report));
        WriteOps(html, report);
        WritePlaces(html, report);
        html.Append("<div id=\"hint\"></div>\n</main>\n<script>\n").Append(EmbeddedText.Read("profile.js")).Append("</script></body>\n</html>\n");
        return html.ToString();
    }

    /// <summary>A rectangle with a hint, closed.</summary>
    internal static void Bar(StringBuilder svg, string kind, double x, double y, double width, double height, string hint) =>
        svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"bar {kind}\" x=\"{x:F2}\" y=\"{y:F1}\" width=\"{Math.Max(width, 0.4):F2}\" height=\"{height:F1}\" data-hint=\"{HtmlText.Of(hint)}\"/>\n");

    internal static string Percent(double share) => share.ToString("P1", CultureInfo.InvariantCulture);

    private static void WriteOps(StringBuilder html, ProfileReport report)
    {
        html.Append("<section><h2>Ops</h2>\n<div class=\"card\"><table id=\"ops\"><thead><tr><th data-sort>op</th><th data-sort class=\"number\">calls</th><th data-sort class=\"number down\">time</th><th data-sort class=\"number\">share</th><th data-sort class=\"number\">GFLOP/s</th><th data-sort class=\"number\">GB/s</th><th data-sort class=\"number\">of roof</th><th data-sort>roof</th></tr></thead><tbody>\n");
        foreach (var op in report.Ops)
        {
            var share = report.Share(op);
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{HtmlText.Of(op.Op)}</td>{Value(op.Calls, op.Calls.ToString("N0", CultureInfo.InvariantCulture))}{Value(op.Seconds, MeasuredText.Time(op.Seconds))}{Value(op.Seconds, Percent(op.Seconds / report.WallSeconds))}{Value(op.Flops / op.Seconds, Number(op.Flops / op.Seconds / 1e9))}{Value(op.Bytes / op.Seconds, Number(op.Bytes / op.Seconds / 1e9))}{(double.IsNaN(share) ? "<td></td>" : Value(share, share.ToString("P0", CultureInfo.InvariantCulture)))}<td>{report.Roof(op.Flops, op.Bytes)}</td></tr>\n");
        }
        html.Append("</tbody></table></div></section>\n");
    }

    private static void WritePlaces(StringBuilder html, ProfileReport report)
    {
        html.Append("<section><h2>Modules and phases</h2>\n<div class=\"card\"><table id=\"places\"><thead><tr><th data-sort>place</th><th data-sort class=\"number\">calls</th><th data-sort class=\"number\">time</th><th data-sort class=\"number\">share</th><th data-sort class=\"number\">own ops</th><th data-sort class=\"number\">host</th><th data-sort class=\"number\">GFLOP</th><th data-sort class=\"number\">GFLOP/s</th></tr></thead><tbody>\n");
        foreach (var place in report.Places)
        {
            var rate = place.AllOps.Seconds > 0 ? place.AllOps.Flops / place.AllOps.Seconds : 0;
            html.Append(CultureInfo.InvariantCulture, $"<tr><td class=\"place\">{new string(' ', 2 * (place.Depth - 1))}{HtmlText.Of(place.Name)}</td>{Value(place.Calls, place.Calls.ToString("N0", CultureInfo.InvariantCulture))}{Value(place.Seconds, MeasuredText.Time(place.Seconds))}{Value(place.Seconds, Percent(place.Seconds / report.WallSeconds))}{Value(place.OwnOps.Seconds, MeasuredText.Time(place.OwnOps.Seconds))}{Value(place.HostSeconds, MeasuredText.Time(place.HostSeconds))}{Value(place.AllOps.Flops, Number(place.AllOps.Flops / 1e9))}{Value(rate, Number(rate / 1e9))}</tr>\n");
        }
        html.Append("</tbody></table></div></section>\n");
    }

    private static void Section(StringBuilder html, string title, string lead, string chart) =>
        html.Append(CultureInfo.InvariantCulture, $"<section><h2>{title}</h2>\n<p class=\"facts lead\">{HtmlText.Of(lead)}</p>\n<div class=\"card wide\">{chart}</div></section>\n");

    private static string Cell(string value, string what) => $"<div class=\"cell\"><b>{HtmlText.Of(value)}</b><span>{HtmlText.Of(what)}</span></div>";

    private static string Value(double value, string shown) => string.Create(CultureInfo.InvariantCulture, $"<td class=\"number\" data-value=\"{value:R}\">{shown}</td>");

    private static string Number(double value) => !double.IsFinite(value) ? "" : value.ToString(value >= 100 ? "F0" : value >= 10 ? "F1" : "F2", CultureInfo.InvariantCulture);
}
