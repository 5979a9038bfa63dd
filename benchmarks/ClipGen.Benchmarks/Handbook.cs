using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ClipGen.Benchmarks;

/// <summary>The index of the ops' notes, with the figures of a ladder of their large cases: <c>docs/kernels.md</c>.</summary>
internal static partial class Handbook
{
    /// <summary>Prints the page.</summary>
    /// <param name="kernels">Folder of the kernels: a folder per op, its note in it.</param>
    /// <param name="results">Lines of <c>clipgen kernels bench --json</c>, of which those of forced forms are passed over; the page names the path as it is given.</param>
    /// <param name="output">Where to.</param>
    public static void Print(string kernels, string results, TextWriter output)
    {
        var lines = File.ReadLines(results).Where(line => line.Length > 0).Select(Measured.Parse).Where(line => line.Form == line.Level).ToList();
        var levels = lines.Select(line => line.Level).Distinct().ToList();
        output.WriteLine("# The kernel handbook");
        output.WriteLine();
        output.WriteLine("Every op has a folder in `kernels/ClipGen.Kernels` and a note in it: formula, work model, how the work is divided, numerics, what was tried and what it brought. This page is their index, with the figures of their");
        output.WriteLine("large cases, generated from one run:");
        output.WriteLine();
        output.WriteLine("    clipgen kernels bench --json > OPS.jsonl");
        output.WriteLine("    dotnet run -c Release --project benchmarks/ClipGen.Benchmarks -- handbook OPS.jsonl > docs/kernels.md");
        output.WriteLine();
        output.WriteLine($"The run: `{results}`, {lines.Select(line => line.Threads).First()} threads. Roofs measured in it: {string.Join("; ", levels.Select(level => Roofs(level, lines.First(line => line.Level == level))))}.");
        output.WriteLine("*of arithmetic* and *of memory* are shares of these; the larger of the two says how near a kernel is to what binds it. Above 100 % data came from caches, or a kernel found a way with fewer operations than the figure counts. How to");
        output.WriteLine("work on one: [profiling.md](profiling.md); how to add one: [adding-an-op.md](adding-an-op.md); on a card: [cuda.md](cuda.md).");
        foreach (var note in Notes(kernels))
        {
            output.WriteLine();
            output.WriteLine($"## [{note.Op}](../kernels/ClipGen.Kernels/{note.Op}/{note.Op}.md)");
            output.WriteLine();
            output.WriteLine(note.Lead);
            var cases = lines.Where(line => line.Op == note.Op).GroupBy(line => line.Case, StringComparer.Ordinal).ToList();
            if (cases.Count == 0) continue;
            output.WriteLine();
            output.WriteLine($"| case | {string.Join(" | ", levels)} | GFLOP/s | of arithmetic | GB/s | of memory |");
            output.WriteLine($"| --- |{string.Concat(Enumerable.Repeat(" --- |", levels.Count + 4))}");
            foreach (var one in cases)
            {
                var best = one.MinBy(line => line.Seconds)!;
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {one.Key} | {string.Join(" | ", levels.Select(level => one.FirstOrDefault(line => line.Level == level) is { } line ? ResultTable.Time(line.Seconds) : ""))} | {best.Flops / best.Seconds / 1e9:F1} | {best.Flops / best.Seconds / best.PeakFlops:P0} | {best.Bytes / best.Seconds / 1e9:F1} | {best.Bytes / best.Seconds / best.PeakRead:P0} |"));
            }
        }
    }

    private static string Roofs(string level, Measured line) => string.Create(CultureInfo.InvariantCulture, $"{level} {line.PeakFlops / 1e9:F0} GFLOP/s and {line.PeakRead / 1e9:F1} GB/s");

    private static IEnumerable<(string Op, string Lead)> Notes(string kernels)
    {
        foreach (var folder in Directory.GetDirectories(kernels).Order(StringComparer.Ordinal))
        {
            var op = Path.GetFileName(folder);
            var note = Path.Combine(folder, $"{op}.md");
            if (File.Exists(note)) yield return (op, Link().Replace(Lead(File.ReadAllText(note)), $"](../kernels/ClipGen.Kernels/{op}/"));
        }
    }

    /// <summary>The first paragraph of the formula's section.</summary>
    private static string Lead(string note) => FirstParagraph().Match(note) is { Success: true } match ? match.Groups[1].Value.Trim() : "";

    [GeneratedRegex(@"^## Formula[^\n]*\n+(.*?)(?:\n\n|\z)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FirstParagraph();

    // A note's links are relative to the note.
    [GeneratedRegex(@"\]\((?!https?:|#)")]
    private static partial Regex Link();

    private sealed record Measured(string Form, string Level, int Threads, string Op, string Case, double Seconds, double Flops, double Bytes, double PeakFlops, double PeakRead)
    {
        public static Measured Parse(string line)
        {
            using var json = JsonDocument.Parse(line);
            var row = json.RootElement;
            double Number(string name) => row.GetProperty(name).GetDouble();
            var level = row.GetProperty("level").GetString()!;
            return new Measured(row.TryGetProperty("form", out var form) ? form.GetString()! : level, level, row.GetProperty("threads").GetInt32(), row.GetProperty("op").GetString()!, row.GetProperty("case").GetString()!,
                Number("median_s"), Number("flops"), Number("bytes"), Number("peak_flops"), Number("peak_read_bytes"));
        }
    }
}
