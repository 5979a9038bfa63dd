using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ClipGen.Benchmarks;

/// <summary>
/// Sets the figures of <c>clipgen bench --json</c> beside those of another program that times the same cases, run in turn. Both files hold rounds: a line <c>{"round": N}</c>, then one line of JSON per case, with
/// <c>case</c>, <c>median_s</c> and <c>peak_rss_mb</c>; a peer's case may stand there once for each variant of it (<c>work.variant</c>, <c>.layout</c>, <c>.linear</c>), of which the fastest of the round counts.
/// </summary>
internal static partial class PeerTable
{
    /// <summary>Prints a Markdown table with the cases that both files have, in the order of the first.</summary>
    /// <param name="ours">Lines of <c>clipgen bench --json</c>.</param>
    /// <param name="peers">Lines of the other program.</param>
    /// <param name="cases">Cases to print, in this order; all of them if there are none.</param>
    /// <param name="output">Where to print.</param>
    /// <exception cref="InvalidDataException">A case that is asked for is not in both files.</exception>
    public static void Print(string ours, string peers, IReadOnlyList<string> cases, TextWriter output)
    {
        var (own, other) = (Read(ours), Read(peers));
        output.WriteLine("| case | ClipGen | peer, fastest variant | ratio | ratios of the rounds | peak memory, MB |");
        output.WriteLine("| --- | --- | --- | --- | --- | --- |");
        foreach (var name in cases.Count > 0 ? cases : [.. own.Select(line => line.Case).Distinct()])
        {
            var rounds = own.Where(line => line.Case == name).Select(line => (Own: line, Peer: other.Where(peer => peer.Case == name && peer.Round == line.Round).MinBy(peer => peer.Median)))
                .Where(pair => pair.Peer is not null).Select(pair => (pair.Own, Peer: pair.Peer!, Ratio: pair.Own.Median / pair.Peer!.Median)).ToArray();
            if (rounds.Length == 0 && cases.Count > 0) throw new InvalidDataException($"{name} is not in both {ours} and {peers}");
            if (rounds.Length == 0) continue;
            var ratios = string.Join(", ", rounds.Select(round => round.Ratio.ToString("F2", CultureInfo.InvariantCulture)));
            // The median round stands for the case; of an even number, the worse of the two in the middle.
            var shown = rounds.OrderBy(round => round.Ratio).ElementAt(rounds.Length / 2);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| `{name}` | {ResultTable.Time(shown.Own.Median)} | {ResultTable.Time(shown.Peer.Median)}{(shown.Peer.Variant.Length > 0 ? $" ({shown.Peer.Variant})" : "")} | **{shown.Ratio:F2}** | {ratios} | {shown.Own.Memory:F0} / {shown.Peer.Memory:F0} |"));
        }
    }

    private static List<Line> Read(string path)
    {
        List<Line> lines = [];
        var round = 0;
        foreach (var text in File.ReadLines(path))
        {
            using var document = JsonDocument.Parse(text);
            var row = document.RootElement;
            if (row.TryGetProperty("round", out var number)) round = number.GetInt32();
            else if (row.TryGetProperty("case", out var name) && row.TryGetProperty("median_s", out var median))
                lines.Add(new Line(round, CaseOf(name.GetString()!, row), median.GetDouble(), row.GetProperty("peak_rss_mb").GetDouble(), VariantOf(row)));
        }
        return lines;
    }

    private static string VariantOf(JsonElement row)
    {
        if (!row.TryGetProperty("work", out var work)) return "";
        return string.Join(", ", new[] { "variant", "layout", "linear", "formula" }.Where(key => work.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String).Select(key => work.GetProperty(key).GetString()));
    }

    /// <summary>The name that <c>clipgen bench</c> has for what the peer calls otherwise; a name that it does not have for anything else.</summary>
    private static string CaseOf(string name, JsonElement row)
    {
        // The peer names its dropout beside.
        if (name.StartsWith("train_gpt/", StringComparison.Ordinal) && row.TryGetProperty("work", out var work) && work.TryGetProperty("dropout", out var dropout) && dropout.GetDouble() == 0)
            name = name.Replace("train_gpt", "train_gpt_nodropout", StringComparison.Ordinal);
        if (name == "attention/b8 h16 l256 d64 causal") return "attention:8";
        if (Convolution().Match(name) is { Success: true } conv) return $"conv:{conv.Groups[1].Value}-{conv.Groups[1].Value}-3@{conv.Groups[2].Value}x{conv.Groups[2].Value}";
        // The long decode is timed over a part of its steps.
        if (name.EndsWith("/256 tokens (scaled)", StringComparison.Ordinal)) name = name[..name.LastIndexOf('/')];
        else if (name == "gpt_decode_kv/b64") return name;
        if (Product().Match(name) is { Success: true } product) return $"gemm:{product.Groups[1].Value}";
        if (name == "demo/kv b64") return "generate:64";
        return Model().Match(name) is { Success: true } model ? $"{model.Groups[1].Value.Replace("_kv", "", StringComparison.Ordinal)}:{model.Groups[2].Value}" : name;
    }

    [GeneratedRegex(@"^conv3x3/(\d+)@(\d+)$")]
    private static partial Regex Convolution();

    [GeneratedRegex(@"^gemm/(\d+x\d+x\d+)$")]
    private static partial Regex Product();

    [GeneratedRegex(@"^([a-z_]+)/b(\d+)$")]
    private static partial Regex Model();

    private sealed record Line(int Round, string Case, double Median, double Memory, string Variant);
}
