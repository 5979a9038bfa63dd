using System.Globalization;
using System.Text;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Profiling;

/// <summary>The roofline (Williams, Waterman, Patterson 2009): rate of arithmetic over flops per byte, both logarithmic, under the measured roofs.</summary>
internal static class RooflineChart
{
    private const double Width = 1180, Height = 420, Left = 62, Right = 20, Top = 16, Bottom = 40;

    public static string Render(ProfileReport report)
    {
        var peaks = report.Peaks!;
        var ops = report.Ops.Where(op => op.Flops > 0 && op.Bytes > 0 && op.Seconds > 0).ToList();
        double[] intensities = [.. ops.Select(op => op.Flops / op.Bytes), peaks.Flops / peaks.ReadBytes];
        double[] rates = [.. ops.Select(op => op.Flops / op.Seconds), peaks.Flops];
        var x = new LogScale(intensities, Left, Width - Right);
        var y = new LogScale(rates, Height - Bottom, Top);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg id=\"roofline\" class=\"chart\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"roofline\">\n");
        foreach (var decade in x.Decades)
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{x.At(decade):F1}\" x2=\"{x.At(decade):F1}\" y1=\"{Top}\" y2=\"{Height - Bottom}\"/><text class=\"soft\" text-anchor=\"middle\" x=\"{x.At(decade):F1}\" y=\"{Height - Bottom + 16}\">{Label(decade)}</text>\n");
        foreach (var decade in y.Decades)
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y.At(decade):F1}\" y2=\"{y.At(decade):F1}\"/><text class=\"soft\" text-anchor=\"end\" x=\"{Left - 6}\" y=\"{y.At(decade) + 4:F1}\">{Label(decade / 1e9)}</text>\n");
        var bend = peaks.Flops / peaks.ReadBytes;
        // The slope begins where it enters the picture, at the left or at the bottom.
        var start = Math.Max(x.Low, y.Low / peaks.ReadBytes);
        svg.Append(CultureInfo.InvariantCulture, $"<path class=\"roof\" d=\"M{x.At(start):F1} {y.At(start * peaks.ReadBytes):F1} L{x.At(bend):F1} {y.At(peaks.Flops):F1} L{Width - Right} {y.At(peaks.Flops):F1}\"/>\n");
        var longest = ops.Count > 0 ? ops[0].Seconds : 1;
        foreach (var op in ops)
        {
            var radius = 4 + 20 * Math.Sqrt(op.Seconds / longest);
            double px = x.At(op.Flops / op.Bytes), py = y.At(op.Flops / op.Seconds);
            svg.Append(CultureInfo.InvariantCulture, $"<circle class=\"dot\" cx=\"{px:F1}\" cy=\"{py:F1}\" r=\"{radius:F1}\" data-hint=\"{HtmlText.Of(Hint(report, op))}\"/>\n");
            if (op.Seconds / report.OpSeconds >= 0.01) svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Math.Min(px + radius + 3, Width - 120):F1}\" y=\"{py + 4:F1}\">{HtmlText.Of(op.Op)}</text>\n");
        }
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"soft\" text-anchor=\"middle\" x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 6}\">flops per byte</text><text class=\"soft\" text-anchor=\"middle\" transform=\"translate(14 {Height / 2}) rotate(-90)\">GFLOP/s</text></svg>\n");
        return svg.ToString();
    }

    private static string Hint(ProfileReport report, OpLine op) => string.Create(CultureInfo.InvariantCulture,
        $"{op.Op}\n{op.Calls:N0} calls, {MeasuredText.Time(op.Seconds)}\n{op.Flops / op.Seconds / 1e9:F1} GFLOP/s, {op.Bytes / op.Seconds / 1e9:F1} GB/s\n{op.Flops / op.Bytes:F2} flops per byte\n{ProfileTable.Roof(report, op).Trim()}");

    private static string Label(double value) => value is >= 1000 or < 0.001 ? value.ToString("0e0", CultureInfo.InvariantCulture) : value.ToString("0.###", CultureInfo.InvariantCulture);

    /// <summary>A logarithmic scale over whole decades.</summary>
    private sealed class LogScale
    {
        private readonly double low, high, from, to;

        public LogScale(IReadOnlyCollection<double> values, double from, double to)
        {
            (this.from, this.to) = (from, to);
            low = Math.Floor(Math.Log10(values.Min()));
            high = Math.Max(low + 1, Math.Ceiling(Math.Log10(values.Max() * 1.05)));
        }

        public double Low => Math.Pow(10, low);

        public IEnumerable<double> Decades
        {
            get
            {
                var step = Math.Max(1, (int)((high - low) / 12));
                for (var exponent = low; exponent <= high; exponent += step) yield return Math.Pow(10, exponent);
            }
        }

        public double At(double value) => from + (Math.Log10(value) - low) / (high - low) * (to - from);
    }
}
