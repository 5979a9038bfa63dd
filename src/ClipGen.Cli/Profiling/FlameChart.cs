using System.Globalization;
using System.Text;
using ClipGen.Kernels;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Profiling;

/// <summary>Time by place, all calls of a place together: the phases at the top, what is inside them below, and below each place its own ops and what the host did.</summary>
internal static class FlameChart
{
    private const double Width = 1180, RowHeight = 22, Least = 0.8;

    public static string Render(ProfileReport report)
    {
        if (report.Profiler.Tracks.Count == 0) return "";
        var bars = new StringBuilder();
        var rows = 0;
        Children(report.Profiler.Tracks[0].Root, 0, 0);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg id=\"flame\" class=\"chart\" viewBox=\"0 0 {Width} {(rows + 1) * RowHeight:F0}\" role=\"img\" aria-label=\"time by module\">\n");
        return svg.Append(bars).Append("</svg>\n").ToString();

        void Children(ProfileNode node, double x, int row)
        {
            foreach (var child in node.Children.OrderByDescending(child => child.Ticks))
            {
                // Under "decoder", "decoder.up.3" is "up.3".
                var name = node.Name.Length > 0 && child.Name.StartsWith($"{node.Name}.", StringComparison.Ordinal) ? child.Name[(node.Name.Length + 1)..] : child.Name;
                if (Draw(name, child.Ticks, child.Calls, $"d{row % 6}", x, row)) Children(child, x, row + 1);
                x += Pixels(child.Ticks);
            }
            foreach (var op in node.Ops.OrderByDescending(op => op.Ticks))
            {
                Draw(op.Op, op.Ticks, op.Calls, "op", x, row);
                x += Pixels(op.Ticks);
            }
            if (node.Parent is not null) Draw("host", node.HostTicks, 0, "host", x, row);
        }

        double Pixels(long ticks) => Profiler.Seconds(ticks) / report.WallSeconds * Width;

        bool Draw(string name, long ticks, long calls, string kind, double x, int row)
        {
            var width = Pixels(ticks);
            if (width < Least) return false;
            rows = Math.Max(rows, row);
            var seconds = Profiler.Seconds(ticks);
            ProfilePage.Bar(bars, kind, x, row * RowHeight, width, RowHeight - 1, $"{name}\n{(calls > 0 ? $"{calls.ToString("N0", CultureInfo.InvariantCulture)} calls, " : "")}{MeasuredText.Time(seconds)}, {ProfilePage.Percent(seconds / report.WallSeconds)}");
            var letters = (int)((width - 6) / 6.6);
            if (letters >= 3) bars.Append(CultureInfo.InvariantCulture, $"<text x=\"{x + 3:F1}\" y=\"{row * RowHeight + 15:F0}\" pointer-events=\"none\">{HtmlText.Of(name.Length <= letters ? name : name[..(letters - 1)] + "…")}</text>\n");
            return true;
        }
    }
}
