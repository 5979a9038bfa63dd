using System.Globalization;
using System.Text.Json;

namespace ClipGen.Benchmarks;

/// <summary>Turns the JSON lines of <c>clipgen bench --json</c> into a table.</summary>
internal static class ResultTable
{
    /// <summary>Prints a Markdown table, one row per line of the file.</summary>
    public static void Print(string path, TextWriter output)
    {
        output.WriteLine("| case | threads | median | min | max | GFLOP/s | GB/s | peak memory |");
        output.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (var line in File.ReadLines(path))
        {
            using var document = JsonDocument.Parse(line);
            var row = document.RootElement;
            double Number(string name) => row.GetProperty(name).GetDouble();
            var median = Number("median_s");
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| `{row.GetProperty("case").GetString()}` | {row.GetProperty("threads").GetInt32()} | {Time(median)} | {Time(Number("min_s"))} | {Time(Number("max_s"))} | {Number("flops") / median / 1e9:F1} | {Number("bytes") / median / 1e9:F1} | {Number("peak_rss_mb"):F0} MB |"));
        }
    }

    /// <summary>A duration in the unit that suits it.</summary>
    public static string Time(double seconds) => seconds switch
    {
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:F0} us"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:F2} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:F2} s"),
    };
}
