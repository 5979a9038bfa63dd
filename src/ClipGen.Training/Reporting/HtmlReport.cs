using System.Globalization;
using System.Text;
using ClipGen.Files;
using ClipGen.Training.Control;

namespace ClipGen.Training.Reporting;

/// <summary>A picture of the report.</summary>
/// <param name="Caption">What it shows.</param>
/// <param name="Png">A PNG file's bytes.</param>
public sealed record ReportPicture(string Caption, byte[] Png);

/// <summary>How far a run is.</summary>
/// <param name="State">One word or a few: running, finished, stopped by SIGTERM.</param>
/// <param name="Step">Steps done.</param>
/// <param name="TotalSteps">Steps of the whole run; 0 when not known.</param>
/// <param name="Elapsed">Time that this process has trained.</param>
/// <param name="Now">When the report is made.</param>
public sealed record RunProgress(string State, long Step, long TotalSteps, TimeSpan Elapsed, DateTimeOffset Now);

/// <summary>
/// <c>report.html</c>: curves, newest pictures, numbers and settings of a run in one file that needs no network and no script, in light and
/// dark. Columns <c>train/x</c> and <c>val/x</c> (or <c>val_x</c>) of the metrics share a plot.
/// </summary>
public static class HtmlReport
{
    /// <summary>Writes the report in one piece: a browser sees the old one or the new one.</summary>
    /// <exception cref="ArgumentException">A picture is not a PNG file.</exception>
    /// <exception cref="RunFolderException">The file can't be written.</exception>
    public static void Write(string path, RunDescription run, RunProgress progress, MetricsTable metrics, IReadOnlyList<ReportPicture> pictures)
    {
        var text = Render(run, progress, metrics, pictures);
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)), (reason, cause) => RunFolderException.Unwritable(path, reason, cause));
    }

    /// <summary>The report as text.</summary>
    /// <exception cref="ArgumentException">A picture is not a PNG file.</exception>
    public static string Render(RunDescription run, RunProgress progress, MetricsTable metrics, IReadOnlyList<ReportPicture> pictures)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(progress);
        ArgumentNullException.ThrowIfNull(metrics);
        ArgumentNullException.ThrowIfNull(pictures);
        var html = new StringBuilder();
        html.Append(HtmlPage.Begin($"{run.Command}: step {progress.Step}", images: true));
        WriteHeading(html, run, progress);
        WriteCurves(html, metrics);
        WritePictures(html, pictures);
        html.Append("<div class=\"columns\">\n");
        WriteNumbers(html, metrics);
        WriteSettings(html, run.Settings);
        html.Append("</div>\n");
        WriteOrigin(html, run, progress);
        return html.Append("</main></body>\n</html>\n").ToString();
    }

    private static void WriteHeading(StringBuilder html, RunDescription run, RunProgress progress)
    {
        html.Append(CultureInfo.InvariantCulture, $"<header><div class=\"title\"><h1>{HtmlText.Of(run.Command)}</h1><span class=\"state\">{HtmlText.Of(progress.State)}</span></div>\n<p class=\"model\">{HtmlText.Of(run.Model)}</p>\n");
        var of = progress.TotalSteps > 0 ? $" of {Grouped(progress.TotalSteps)}" : "";
        html.Append(CultureInfo.InvariantCulture, $"<p class=\"facts\">{Date(progress.Now)} · step {Grouped(progress.Step)}{of} · {DurationText.Of(progress.Elapsed)} in this process</p>\n");
        if (progress.TotalSteps > 0)
        {
            var share = Math.Clamp(100.0 * progress.Step / progress.TotalSteps, 0, 100);
            html.Append(CultureInfo.InvariantCulture, $"<div class=\"progress\" role=\"img\" aria-label=\"{share:F0} percent\"><div style=\"width:{share:F1}%\"></div></div>\n");
        }
        html.Append("</header>\n");
    }

    private static void WriteCurves(StringBuilder html, MetricsTable metrics)
    {
        if (metrics.Rows.Count == 0) return;
        html.Append("<section><h2>Curves</h2>\n<p class=\"facts lead\">The numbers are the last values. Of long curves, the thin line passes through every interval and the thick one through means.</p>\n<div class=\"plots\">\n");
        foreach (var group in metrics.Columns.GroupBy(Quantity, StringComparer.Ordinal))
        {
            var single = group.Count() == 1;
            CurvePlot.Write(html, single ? group.First() : group.Key,
                group.Select(column => new PlotCurve(IsValidation(column) ? "validation" : "train", IsValidation(column) ? "val" : "train", metrics.Series(column))), metrics.Rows[^1].Step);
        }
        html.Append("</div></section>\n");
    }

    // "val/val_loss" is the reference's name for the validation of "train/loss".
    private static string Quantity(string column)
    {
        foreach (var prefix in (string[])["val/val_", "val/", "val_", "train/", "train_"])
            if (column.Length > prefix.Length && column.StartsWith(prefix, StringComparison.Ordinal)) return column[prefix.Length..];
        return column;
    }

    private static bool IsValidation(string column) => column.StartsWith("val/", StringComparison.Ordinal) || column.StartsWith("val_", StringComparison.Ordinal);

    private static void WritePictures(StringBuilder html, IReadOnlyList<ReportPicture> pictures)
    {
        if (pictures.Count == 0) return;
        html.Append("<section><h2>Latest previews</h2>\n<div class=\"pictures\">\n");
        foreach (var picture in pictures)
        {
            var size = PngHeader.Read(picture.Png);
            html.Append(CultureInfo.InvariantCulture, $"<figure><img width=\"{size.Width}\" height=\"{size.Height}\" alt=\"{HtmlText.Of(picture.Caption)}\" src=\"data:image/png;base64,{Convert.ToBase64String(picture.Png)}\"><figcaption>{HtmlText.Of(picture.Caption)}</figcaption></figure>\n");
        }
        html.Append("</div></section>\n");
    }

    private static void WriteNumbers(StringBuilder html, MetricsTable metrics)
    {
        if (metrics.Rows.Count == 0) return;
        html.Append("<section><h2>Numbers</h2>\n<div class=\"card\"><table><thead><tr><th>metric</th><th class=\"number\">last</th><th class=\"number\">lowest</th><th class=\"number\">highest</th></tr></thead><tbody>\n");
        foreach (var column in metrics.Columns)
        {
            var series = metrics.Series(column);
            if (series.Count == 0) continue;
            var finite = series.Where(point => double.IsFinite(point.Value)).ToArray();
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{HtmlText.Of(column)}</td>{Cell(series[^1])}");
            html.Append(finite.Length > 0 ? $"{Cell(finite.MinBy(point => point.Value))}{Cell(finite.MaxBy(point => point.Value))}</tr>\n" : "<td></td><td></td></tr>\n");
        }
        html.Append("</tbody></table></div></section>\n");

        static string Cell((long Step, double Value) point) => $"<td class=\"number\">{NumberText.Of(point.Value)}<small>step {Grouped(point.Step)}</small></td>";
    }

    private static void WriteSettings(StringBuilder html, IReadOnlyList<Setting> settings)
    {
        if (settings.Count == 0) return;
        html.Append("<section><h2>Configuration</h2>\n<div class=\"card\"><table><thead><tr><th>setting</th><th>value</th><th>from</th></tr></thead><tbody>\n");
        foreach (var setting in settings)
            html.Append(CultureInfo.InvariantCulture, $"<tr class=\"{RunDescription.NameOf(setting.Origin)}\"><td>{HtmlText.Of(setting.Name)}</td><td>{HtmlText.Of(setting.Value)}</td><td>{RunDescription.NameOf(setting.Origin)}</td></tr>\n");
        html.Append("</tbody></table></div></section>\n");
    }

    private static void WriteOrigin(StringBuilder html, RunDescription run, RunProgress progress) => html.Append(CultureInfo.InvariantCulture, $"""
        <section><h2>How it was made</h2>
        <div class="card"><pre>{HtmlText.Of(run.CommandLine)}</pre>
        <p class="facts">seed {run.Seed} · version {HtmlText.Of(run.Version)} · started {Date(run.Started)} · this report {Date(progress.Now)}</p></div></section>

        """);

    private static string Grouped(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Date(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm 'UTC'zzz", CultureInfo.InvariantCulture).Replace("UTC+00:00", "UTC", StringComparison.Ordinal);
}
