using System.Globalization;
using System.Text;

namespace ClipGen.Training.Reporting;

/// <summary>One curve of a plot.</summary>
/// <param name="Label">What the legend says.</param>
/// <param name="Style">CSS class that gives its colour.</param>
/// <param name="Points">Points by rising step.</param>
internal sealed record PlotCurve(string Label, string Style, IReadOnlyList<(long Step, double Value)> Points);

/// <summary>A plot of one or two curves over steps as SVG inside HTML. Colours come from the page's style sheet.</summary>
internal static class CurvePlot
{
    /// <summary>Largest number of points drawn of a curve.</summary>
    public const int MostPoints = 600;

    private const int MeanPoints = 60, FewPoints = 40;
    private const double Width = 420, Height = 230, Left = 54, Right = 20, Top = 10, Bottom = 44;

    /// <summary>The plot with heading and legend.</summary>
    /// <param name="html">Where to write.</param>
    /// <param name="name">What is measured.</param>
    /// <param name="curves">The curves; those without a point are left out.</param>
    /// <param name="lastStep">Where all plots of a page end.</param>
    public static void Write(StringBuilder html, string name, IEnumerable<PlotCurve> curves, long lastStep)
    {
        var drawn = curves.Where(curve => curve.Points.Count > 0).ToArray();
        if (drawn.Length == 0) return;
        var finite = drawn.SelectMany(curve => curve.Points).Select(point => point.Value).Where(double.IsFinite).ToArray();
        var x = PlotAxis.ForSteps(drawn.Min(curve => curve.Points[0].Step), lastStep);
        var y = finite.Length > 0 ? PlotAxis.ForValues(finite) : null;
        html.Append(CultureInfo.InvariantCulture, $"<figure class=\"plot\"><figcaption><h3>{HtmlText.Of(name)}</h3><div class=\"legend\">");
        foreach (var curve in drawn)
            html.Append(CultureInfo.InvariantCulture, $"<span><i class=\"{curve.Style}\"></i>{HtmlText.Of(curve.Label)} <b>{NumberText.Of(curve.Points[^1].Value)}</b></span>");
        html.Append("</div></figcaption>\n");
        if (y is not null) WriteSvg(html, name, drawn, x, y);
        if (y is { Logarithmic: true }) html.Append("<p class=\"note\">logarithmic scale</p>");
        var lost = drawn.Sum(curve => curve.Points.Count) - finite.Length;
        if (lost > 0) html.Append(CultureInfo.InvariantCulture, $"<p class=\"note bad\">{lost} {(lost == 1 ? "value is" : "values are")} not finite</p>");
        html.Append("</figure>\n");
    }

    private static void WriteSvg(StringBuilder html, string name, PlotCurve[] curves, PlotAxis x, PlotAxis y)
    {
        html.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{HtmlText.Of(name)} over steps\">");
        foreach (var (value, label) in y.Ticks)
        {
            var at = Vertical(y, value);
            html.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at:F1}\" y2=\"{at:F1}\"/><text class=\"tick\" x=\"{Left - 8}\" y=\"{at + 4.5:F1}\" text-anchor=\"end\">{label}</text>");
        }
        foreach (var (value, label) in x.Ticks)
        {
            var at = Horizontal(x, value);
            html.Append(CultureInfo.InvariantCulture, $"<line class=\"axis\" x1=\"{at:F1}\" x2=\"{at:F1}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom + 5}\"/><text class=\"tick\" x=\"{at:F1}\" y=\"{Height - Bottom + 19}\" text-anchor=\"middle\">{label}</text>");
        }
        html.Append(CultureInfo.InvariantCulture, $"<line class=\"axis\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom}\"/><text class=\"tick\" x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 6}\" text-anchor=\"middle\">step</text>");
        foreach (var curve in curves) WriteCurve(html, curve, x, y);
        html.Append("</svg>\n");
    }

    private static void WriteCurve(StringBuilder html, PlotCurve curve, PlotAxis x, PlotAxis y)
    {
        var means = CurveThinning.Means(curve.Points, MeanPoints);
        var thinned = CurveThinning.MinMax(curve.Points, MostPoints);
        html.Append(CultureInfo.InvariantCulture, $"<path class=\"{curve.Style}{(means.Count > 0 ? " thin" : "")}\" d=\"{PathOf(thinned, x, y)}\"/>");
        if (means.Count > 0) html.Append(CultureInfo.InvariantCulture, $"<path class=\"{curve.Style}\" d=\"{PathOf(means, x, y)}\"/>");
        // Points far apart are marked; of the rest only the last.
        foreach (var (step, value) in curve.Points.Count <= FewPoints ? curve.Points : [curve.Points[^1]])
            if (double.IsFinite(value) && (curve.Points.Count <= FewPoints || means.Count == 0))
                html.Append(CultureInfo.InvariantCulture, $"<circle class=\"{curve.Style}\" cx=\"{Horizontal(x, step):F1}\" cy=\"{Vertical(y, value):F1}\" r=\"3\"><title>step {step}: {NumberText.Of(value)}</title></circle>");
    }

    // Values that are not finite interrupt the line; h0 makes a point that stands alone visible.
    private static string PathOf(IReadOnlyList<(long Step, double Value)> points, PlotAxis x, PlotAxis y)
    {
        var path = new StringBuilder();
        var pen = false;
        foreach (var (step, value) in points)
        {
            if (double.IsFinite(value))
                path.Append(CultureInfo.InvariantCulture, $"{(pen ? "L" : "M")}{Horizontal(x, step):F1} {Vertical(y, value):F1}{(pen ? "" : "h0")}");
            pen = double.IsFinite(value);
        }
        return path.ToString();
    }

    private static double Horizontal(PlotAxis x, double value) => Left + x.Fraction(value) * (Width - Left - Right);

    private static double Vertical(PlotAxis y, double value) => Height - Bottom - y.Fraction(value) * (Height - Top - Bottom);
}
