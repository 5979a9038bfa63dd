using System.Text.Json;

namespace ClipGen.Cli.Benchmarks;

/// <summary>What an earlier <c>bench --json</c> measured, to hold new times against.</summary>
internal sealed class BenchComparison
{
    /// <summary>How much the least times must differ to be more than noise. Anything else that runs can only slow a run down, so the least time is the steadiest; what is left are clock and memory layout.</summary>
    public const double Noise = 0.05;

    private readonly Dictionary<BenchKey, Before> cases = [];

    /// <summary>Reads the lines of an earlier run; of lines for the same case the last counts.</summary>
    /// <exception cref="UsageException">The file is not one.</exception>
    public BenchComparison(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new JobException($"--compare {path}: can't be read: {failure.Message}");
        }
        for (var i = 0; i < lines.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(lines[i])) continue;
            try
            {
                using var json = JsonDocument.Parse(lines[i]);
                var line = json.RootElement;
                var (least, most) = (line.GetProperty("min_s").GetDouble(), line.GetProperty("max_s").GetDouble());
                // Lines from before percentiles were written have the extremes.
                var before = new Before(line.GetProperty("median_s").GetDouble(), least, Number("p20_s") ?? least, Number("p80_s") ?? most);
                if (!(before.Median > 0 && before.Least > 0 && before.Percentile20 > 0 && before.Percentile80 > 0)) throw new FormatException();
                cases[new BenchKey(line.GetProperty("case").GetString()!, line.GetProperty("device").GetString()!, line.GetProperty("threads").GetInt32(), Text("weights") ?? "f32", line.TryGetProperty("amp", out var amp) && amp.GetBoolean())] = before;

                double? Number(string name) => line.TryGetProperty(name, out var value) ? value.GetDouble() : null;
                string? Text(string name) => line.TryGetProperty(name, out var value) ? value.GetString() : null;
            }
            catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new UsageException($"--compare {path}: line {i + 1} is not one of `clipgen bench --json`; give a file of such lines");
            }
        }
        if (cases.Count == 0) throw new UsageException($"--compare {path}: is empty; give a file of lines of `clipgen bench --json`");
    }

    /// <summary>How new times stand against the earlier ones; null where the case was not measured then.</summary>
    public BenchVerdict? Judge(BenchKey key, BenchTimes now)
    {
        if (!cases.TryGetValue(key, out var before)) return null;
        // Both must say so: the bulk of the runs lies apart, and so do the least.
        var change = now.Percentile20 > before.Percentile80 && now.Least > before.Least * (1 + Noise) ? "slower"
            : now.Percentile80 < before.Percentile20 && now.Least * (1 + Noise) < before.Least ? "faster" : "same";
        return new BenchVerdict(before.Median, now.Median / before.Median, change);
    }

    private readonly record struct Before(double Median, double Least, double Percentile20, double Percentile80);
}

/// <summary>What makes two measurements comparable.</summary>
internal readonly record struct BenchKey(string Case, string Device, int Threads, string Weights, bool Amp);

/// <summary>A comparison's outcome.</summary>
/// <param name="Before">The earlier median in seconds.</param>
/// <param name="Ratio">New median over old.</param>
/// <param name="Change"><c>slower</c>, <c>faster</c>, or <c>same</c> where the difference is within the noise.</param>
internal sealed record BenchVerdict(double Before, double Ratio, string Change);
