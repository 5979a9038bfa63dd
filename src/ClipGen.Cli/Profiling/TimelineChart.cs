using System.Globalization;
using System.Text;
using ClipGen.Kernels;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Profiling;

/// <summary>What the command's thread did when: places by depth, ops in a row of their own; and the memory in use meanwhile.</summary>
internal static class TimelineChart
{
    private const double Width = 1180, Left = 62, Right = 10, RowHeight = 20, MemoryHeight = 140;
    private const int MostDepth = 5;

    // Marks that end within the same half pixel of a row become one.
    private const double Finest = 0.5;

    public static string Render(ProfileReport report)
    {
        var svg = new StringBuilder();
        var depth = Math.Min(MostDepth, report.Places.Select(place => place.Depth).DefaultIfEmpty(0).Max());
        var height = (depth + 1) * RowHeight + 26;
        svg.Append(CultureInfo.InvariantCulture, $"<svg id=\"timeline\" class=\"chart\" viewBox=\"0 0 {Width} {height}\" role=\"img\" aria-label=\"timeline\">\n");
        Axis(svg, report, height - 22);
        if (report.Profiler.Tracks.Count > 0)
        {
            var depths = report.Places.ToDictionary(place => place.Node, place => place.Depth);
            for (var row = 0; row <= depth; row++)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<text class=\"soft\" x=\"2\" y=\"{row * RowHeight + 15:F0}\">{(row == depth ? "ops" : $"depth {row + 1}")}</text>\n");
                var last = double.NegativeInfinity;
                // Events come in the order of their ends, which within a row is that of their begins.
                foreach (var happened in report.Profiler.Tracks[0].Events)
                {
                    if (row == depth ? happened.Op is null : happened.Op is not null || depths.GetValueOrDefault(happened.Place) != row + 1) continue;
                    double start = X(report, happened.Start), end = X(report, happened.End);
                    if (end < last + Finest) continue;
                    last = end;
                    var name = happened.Op is null ? happened.Place.Name : $"{happened.Op} in {happened.Place.Name}";
                    ProfilePage.Bar(svg, row == depth ? "op" : $"d{row}", start, row * RowHeight, end - start, RowHeight - 2, $"{name}\n{MeasuredText.Time(Profiler.Seconds(happened.End - happened.Start))}");
                }
            }
        }
        return svg.Append("</svg>\n").ToString();
    }

    public static string RenderMemory(ProfileReport report)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg id=\"memory\" class=\"chart\" viewBox=\"0 0 {Width} {MemoryHeight}\" role=\"img\" aria-label=\"memory\">\n");
        // The largest value of each pixel.
        var columns = new double[(int)(Width - Left - Right) + 1];
        Array.Fill(columns, double.NaN);
        foreach (var happened in report.Profiler.Tracks.SelectMany(track => track.Events).Where(happened => happened.Op is not null))
        {
            var column = Math.Clamp((int)(X(report, happened.End) - Left), 0, columns.Length - 1);
            if (!(columns[column] >= happened.LiveBytes)) columns[column] = happened.LiveBytes;
        }
        var most = columns.Where(value => !double.IsNaN(value)).DefaultIfEmpty(1).Max();
        if (most <= 0) most = 1;
        var bottom = MemoryHeight - 22;
        var path = new StringBuilder();
        var held = 0.0;
        path.Append(CultureInfo.InvariantCulture, $"M{Left} {bottom}");
        for (var i = 0; i < columns.Length; i++)
        {
            if (!double.IsNaN(columns[i])) held = columns[i];
            path.Append(CultureInfo.InvariantCulture, $" L{Left + i} {bottom - held / most * (bottom - 10):F1}");
        }
        path.Append(CultureInfo.InvariantCulture, $" L{Left + columns.Length - 1} {bottom} Z");
        svg.Append(CultureInfo.InvariantCulture, $"<path class=\"memory\" d=\"{path}\"/><text class=\"soft\" x=\"2\" y=\"16\">{MeasuredText.Bytes(most)}</text><text class=\"soft\" x=\"2\" y=\"{bottom}\">0</text>\n");
        Axis(svg, report, bottom);
        return svg.Append("</svg>\n").ToString();
    }

    private static double X(ProfileReport report, long ticks) => Left + Profiler.Seconds(ticks - report.Profiler.Started) / report.WallSeconds * (Width - Left - Right);

    private static void Axis(StringBuilder svg, ProfileReport report, double y)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<line class=\"axis\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y}\" y2=\"{y}\"/>\n");
        var step = PlotAxis.RoundStep(report.WallSeconds / 8);
        for (var i = 0; i * step <= report.WallSeconds; i++)
        {
            var x = Left + i * step / report.WallSeconds * (Width - Left - Right);
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"axis\" x1=\"{x:F1}\" x2=\"{x:F1}\" y1=\"{y}\" y2=\"{y + 4}\"/><text class=\"soft\" text-anchor=\"{(i == 0 ? "start" : "middle")}\" x=\"{x:F1}\" y=\"{y + 17}\">{(i == 0 ? "0" : MeasuredText.Time(i * step))}</text>\n");
        }
    }
}
