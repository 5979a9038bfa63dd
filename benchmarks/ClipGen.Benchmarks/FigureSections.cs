using System.Text;
using System.Text.RegularExpressions;
using ClipGen.Files;

namespace ClipGen.Benchmarks;

/// <summary>
/// Tables in documents that are made from results: what stands between <c>&lt;!-- beside PAGE [CASE...] --&gt;</c> and <c>&lt;!-- end --&gt;</c> is <see cref="PeerTable"/> of PAGE.jsonl and PAGE-peer.jsonl, a path from the
/// repository's root.
/// </summary>
internal static partial class FigureSections
{
    /// <summary>Makes the tables of documents anew.</summary>
    /// <param name="paths">The documents.</param>
    /// <param name="check">Change nothing; say what would change.</param>
    /// <param name="output">Where to say it.</param>
    /// <returns>Exit code: 1 when something would change.</returns>
    public static int Update(IReadOnlyList<string> paths, bool check, TextWriter output)
    {
        var stale = 0;
        foreach (var path in paths)
        {
            var text = File.ReadAllText(path);
            var made = Section().Replace(text, match =>
            {
                var words = match.Groups["what"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                using var table = new StringWriter { NewLine = "\n" };
                PeerTable.Print($"{words[0]}.jsonl", $"{words[0]}-peer.jsonl", words[1..], table);
                return $"{match.Groups["begin"].Value}\n{table}{match.Groups["end"].Value}";
            });
            if (made == text) continue;
            stale++;
            if (!check) AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(made)), (reason, cause) => new IOException($"{path}: can't be written: {reason}", cause));
            output.WriteLine(check ? $"{path}: its figures are not those of its source; `ClipGen.Benchmarks figures {path}` makes them anew" : $"{path} has new figures");
        }
        return check && stale > 0 ? 1 : 0;
    }

    [GeneratedRegex("(?<begin><!-- beside (?<what>[^>]+) -->)\n.*?(?<end><!-- end -->)", RegexOptions.Singleline)]
    private static partial Regex Section();
}
