using System.Text.RegularExpressions;
using System.Xml.Linq;
using ClipGen.Training.Reporting;

namespace ClipGen.Training.Tests;

public sealed partial class HtmlReportTests
{
    private static readonly RunProgress Progress = new("running", 1240, 4000, TimeSpan.FromMinutes(12), new DateTimeOffset(2026, 3, 1, 9, 30, 0, TimeSpan.Zero));

    [Fact]
    public void SaysWhatTheRunIs()
    {
        var html = HtmlReport.Render(Samples.Run(new("bs", "8", SettingOrigin.Option), new("lr", "4.5e-06", SettingOrigin.Default)), Progress, MetricsTable.Empty, []);
        Assert.Contains("<h1>train vqgan</h1>", html);
        Assert.Contains("VQ-GAN, 16384 codes, 78.8 M parameters", html);
        Assert.Contains("2026-03-01 09:30 UTC · step 1,240 of 4,000 · 12m in this process", html);
        Assert.Contains("width:31.0%", html);
        Assert.Contains("<tr class=\"option\"><td>bs</td><td>8</td><td>option</td></tr>", html);
        Assert.Contains("<tr class=\"default\"><td>lr</td><td>4.5e-06</td><td>default</td></tr>", html);
        Assert.Contains("<pre>clipgen train vqgan --ds shapes --bs 8</pre>", html);
        Assert.Contains("seed 18446744073709551615 · version 1.2.3 · started 2026-03-01 08:00 UTC", html);
        Assert.Empty(Elements(html, "svg"));
    }

    [Fact]
    public void TrainAndValidationOfOneNameShareAPlot()
    {
        var html = HtmlReport.Render(Samples.Run(), Progress, Table(["train/loss", "train/lr", "val/val_loss", "train/never"], (10, [4, 0.1, null, null]), (20, [3, 0.1, 3.5, null])), []);
        var plots = Elements(html, "figure");
        Assert.Equal(["loss", "train/lr"], plots.Select(plot => plot.Descendants("h3").Single().Value));
        Assert.Equal(["train 3.000", "validation 3.500"], plots[0].Descendants("span").Select(entry => entry.Value));
        Assert.Equal(["train", "val"], plots[0].Descendants("path").Select(path => (string)path.Attribute("class")!));
        var rows = Elements(html, "tr").Skip(1).Select(row => string.Join("|", row.Elements().Select(cell => cell.Value)));
        Assert.Equal(["train/loss|3.000step 20|3.000step 20|4.000step 10", "train/lr|0.1000step 20|0.1000step 10|0.1000step 10", "val/val_loss|3.500step 20|3.500step 20|3.500step 20"], rows);
    }

    [Fact]
    public void CurvesStayInsideTheirPlot()
    {
        var random = new Random(5);
        foreach (var (low, high) in ((double, double)[])[(0, 1), (-1e-9, 1e-9), (1, 1), (0, 0), (1e-8, 1e4), (-1e300, 1e300), (-double.MaxValue, double.MaxValue), (1e-320, 1e-310), (1e-320, double.MaxValue), (-5, -5)])
        {
            var rows = Enumerable.Range(1, 50).Select(i => ((long)i * 100, new double?[] { i == 1 ? low : i == 2 ? high : low + (high / 2 - low / 2) * random.NextDouble() })).ToArray();
            var svg = Elements(HtmlReport.Render(Samples.Run(), Progress, Table(["x"], rows), []), "svg").Single();
            var numbers = Points(svg);
            Assert.Equal(50, numbers.Count);
            Assert.All(numbers, point => Assert.InRange(point.X, 54, 400));
            Assert.All(numbers, point => Assert.InRange(point.Y, 10, 186));
            Assert.InRange(svg.Descendants("text").Count(), 5, 30);
        }
    }

    [Fact]
    public void LongCurvesAreThinnedAndKeepTheirPeaks()
    {
        var rows = Enumerable.Range(0, 100_000).Select(i => ((long)i, new double?[] { i == 54_321 ? 9 : i == 77_777 ? 0.5 : 1 + 1e-3 * (i % 7) })).ToArray();
        var html = HtmlReport.Render(Samples.Run(), Progress, Table(["x"], rows), []);
        var paths = Elements(html, "path");
        Assert.Equal(["train thin", "train"], paths.Select(path => (string)path.Attribute("class")!));
        var points = Points(Elements(html, "svg").Single());
        Assert.InRange(points.Count, 500, CurvePlot.MostPoints + 60);
        // The axis runs from 0 to 9 and a twentieth of the range, 9.425, up 176 units from 186: the peak is at 186 - 9 / 9.425 * 176 = 17.94, written with one decimal.
        Assert.InRange(points.Min(point => point.Y), 17.88, 18);
        Assert.InRange(html.Length, 1000, 60_000);
    }

    [Fact]
    public void ThinningKeepsEndsPeaksAndGaps()
    {
        List<(long Step, double Value)> points = [.. Enumerable.Range(0, 10_001).Select(i => ((long)i, Math.Sin(i * 0.37)))];
        points[5000] = (5000, double.NaN);
        points[6000] = (6000, 50);
        points[7000] = (7000, -50);
        var thinned = CurveThinning.MinMax(points, 600);
        Assert.InRange(thinned.Count, 550, 600);
        Assert.Equal((points[0], points[^1]), (thinned[0], thinned[^1]));
        Assert.Contains((6000L, 50.0), thinned);
        Assert.Contains((7000L, -50.0), thinned);
        Assert.Single(thinned, point => double.IsNaN(point.Value));
        Assert.Equal(thinned.Select(point => point.Step).Order().Distinct(), thinned.Select(point => point.Step));
        Assert.Same(points, CurveThinning.MinMax(points, 10_002));
        Assert.Equal(600, CurveThinning.MinMax([.. Enumerable.Range(0, 601).Select(i => ((long)i, (double)i))], 600).Count);
        // Means of a straight line lie on it.
        Assert.All(CurveThinning.Means([.. Enumerable.Range(0, 601).Select(i => ((long)i * 2, (double)i))], 60), mean => Assert.InRange(mean.Value, mean.Step / 2.0, mean.Step / 2.0 + 0.5));
        Assert.Empty(CurveThinning.Means(points[..239], 60));
    }

    [Fact]
    public void WhatIsNotFiniteIsSaidAndLeavesAGap()
    {
        var html = HtmlReport.Render(Samples.Run(), Progress, Table(["a", "b"], (1, [1, double.NaN]), (2, [double.NaN, double.NaN]), (3, [3, double.PositiveInfinity])), []);
        Assert.Contains("1 value is not finite", html);
        Assert.Contains("3 values are not finite", html);
        var svg = Elements(html, "svg").Single();
        Assert.Equal(2, svg.Descendants("path").Single().Attribute("d")!.Value.Count(c => c == 'M'));
        Assert.DoesNotContain("NaN", svg.ToString());
    }

    [Fact]
    public void WideRangesAreLogarithmic()
    {
        var wide = PlotAxis.ForValues([0.01, 0.1, 0.2, 100, 0.1]);
        Assert.True(wide.Logarithmic);
        Assert.Equal(["0.01", "0.1", "1", "10", "100"], wide.Ticks.Select(tick => tick.Label));
        Assert.False(PlotAxis.ForValues([0, 0.1, 100]).Logarithmic);
        Assert.False(PlotAxis.ForValues([9.7, 5, 3]).Logarithmic);
        Assert.Equal(["0", "1e-6", "2e-6", "3e-6", "4e-6"], PlotAxis.ForValues([0, 4.5e-6]).Ticks.Select(tick => tick.Label));
        Assert.Equal(["2e-5", "3e-5", "4e-5", "5e-5"], PlotAxis.ForValues([3.6e-5, 3.6e-5]).Ticks.Select(tick => tick.Label));
        Assert.Equal(["0", "20k", "40k", "60k", "80k", "100k"], PlotAxis.ForSteps(10, 100_000).Ticks.Select(tick => tick.Label));
    }

    [Fact]
    public void PicturesAreInside()
    {
        var png = Samples.Png(6, 4);
        var html = HtmlReport.Render(Samples.Run(), Progress, MetricsTable.Empty, [new("reconstructions, step 1240", png)]);
        Assert.Contains($"<img width=\"6\" height=\"4\" alt=\"reconstructions, step 1240\" src=\"data:image/png;base64,{Convert.ToBase64String(png)}\">", html);
        Assert.Throws<ArgumentException>(() => HtmlReport.Render(Samples.Run(), Progress, MetricsTable.Empty, [new("x", [1, 2, 3])]));
    }

    [Fact]
    public void NothingFromOutsideIsMarkup()
    {
        const string Evil = "</pre></title><script>alert('x')</script>\" onload=\"y\0&";
        var run = Samples.Run(new Setting(Evil, Evil, SettingOrigin.Option)) with { Command = Evil, Model = Evil, CommandLine = Evil, Version = Evil };
        var html = HtmlReport.Render(run, Progress with { State = Evil }, MetricsTable.Empty, [new(Evil, Samples.Png(2, 2))]);
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("\" onload", html);
        Assert.DoesNotContain('\0', html);
        Assert.Equal(10, Regex.Count(html, "&lt;script&gt;"));
        // Well formed, so that no piece of it closed an element.
        Assert.NotEmpty(Elements(html, "body"));
    }

    [Fact]
    public void NeedsNeitherNetworkNorScript()
    {
        var html = HtmlReport.Render(Samples.Run(), Progress, Table(["a"], (1, [1]), (2, [2])), [new("x", Samples.Png(2, 2))]);
        Assert.Contains("default-src 'none'", html);
        Assert.DoesNotMatch("(?i)https?:|<script|<link|url\\(|@import|javascript:", html);
        Assert.All(AddressPattern().Matches(html), match => Assert.StartsWith("data:image/png;base64,", match.Groups[1].Value));
    }

    [Fact]
    public void AppearsWholeOrNotAtAll()
    {
        using var folder = new TemporaryFolder();
        HtmlReport.Write(folder["report.html"], Samples.Run(), Progress, MetricsTable.Empty, []);
        HtmlReport.Write(folder["report.html"], Samples.Run(), Progress with { State = "finished" }, MetricsTable.Empty, []);
        Assert.Equal(["report.html"], folder.Names);
        Assert.Contains("finished", File.ReadAllText(folder["report.html"]));
        var path = Path.Combine(folder["none"], "report.html");
        Assert.StartsWith($"{path}: can't be written: ", Assert.Throws<RunFolderException>(() => HtmlReport.Write(path, Samples.Run(), Progress, MetricsTable.Empty, [])).Message);
    }

    private static MetricsTable Table(string[] columns, params (long Step, double?[] Values)[] rows)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["m.csv"], $"epoch,step,{string.Join(',', columns)}\n" + string.Concat(rows.Select(row => MetricsTable.Line(new MetricsRow(0, row.Step, row.Values)))));
        return MetricsTable.Read(folder["m.csv"]);
    }

    // The report is HTML that is well-formed XML too, once the elements without an end have one.
    private static List<XElement> Elements(string html, string name)
    {
        var xml = UnclosedPattern().Replace(html[html.IndexOf("<html", StringComparison.Ordinal)..], "$1/>");
        return [.. XDocument.Parse(xml).Descendants(name)];
    }

    private static List<(double X, double Y)> Points(XElement svg) =>
        [.. svg.Descendants("path").SelectMany(path => PointPattern().Matches(path.Attribute("d")!.Value)).Select(match => (double.Parse(match.Groups[1].Value), double.Parse(match.Groups[2].Value)))];

    [GeneratedRegex("(<(?:meta|img)[^>]*)>")]
    private static partial Regex UnclosedPattern();

    [GeneratedRegex("[ML](-?[0-9.]+) (-?[0-9.]+)")]
    private static partial Regex PointPattern();

    [GeneratedRegex("(?:src|href)=\"([^\"]*)\"")]
    private static partial Regex AddressPattern();
}
