using System.Globalization;
using System.Text;
using ClipGen.Cli.Profiling;
using ClipGen.Models.Explaining;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Explaining;

/// <summary>A model as a page: its modules as a tree that opens and closes, with what each takes and the file it is written in.</summary>
public static class ModelPage
{
    private const string TreeStyle = """
        tr.closed { display: none; } td.place button { width: 1.6em; border: 0; background: none; color: var(--soft); cursor: pointer; } .meter { display: inline-block; height: 9px; border-radius: 2px; background: var(--train); vertical-align: middle; }

        """;

    // Classes that stand in a file of another name.
    private static readonly Dictionary<string, string> Files = new() { ["GroupNorm"] = "Norms", ["LayerNorm"] = "Norms", ["BatchNorm2d"] = "Norms", ["Upsample"] = "Resampling", ["Downsample"] = "Resampling" };

    /// <summary>The file that a module's class is written in, from the checkout's root.</summary>
    public static string SourceOf(Type type)
    {
        // ClipGen.Models.VqGan.Encoder is src/ClipGen.Models/VqGan/Encoder.cs.
        var parts = type.Namespace!.Split('.');
        return $"src/{parts[0]}.{parts[1]}/{string.Concat(parts.Skip(2).Select(part => part + "/"))}{Files.GetValueOrDefault(type.Name, type.Name)}.cs";
    }

    /// <summary>The page as text.</summary>
    /// <param name="title">What the model is.</param>
    /// <param name="explanation">The model.</param>
    /// <param name="device">Where it ran.</param>
    /// <param name="target">Where the page will lie: its links to sources are relative.</param>
    public static string Render(string title, ModelExplanation explanation, string device, string target)
    {
        var root = Root(Path.GetDirectoryName(Path.GetFullPath(target))!);
        var html = new StringBuilder();
        html.Append(HtmlPage.Begin(title, EmbeddedText.Read("profile.css") + TreeStyle, scripts: true));
        html.Append(CultureInfo.InvariantCulture, $"""
            <header><h1>{HtmlText.Of(title)}</h1>
            <p class="facts">{explanation.Modules[0].Parameters:N0} parameters · one run {MeasuredText.Time(explanation.Seconds)} on {HtmlText.Of(device)} · at most {MeasuredText.Bytes(explanation.PeakBytes)} in use · shapes are channels last</p></header>
            <section><div class="card"><table id="modules"><thead><tr><th>module</th><th>class</th><th>in</th><th>out</th><th class="number">parameters</th><th class="number">GFLOP</th><th class="number">output</th><th class="number">time</th><th></th></tr></thead><tbody>

            """);
        for (var i = 0; i < explanation.Modules.Count; i++)
        {
            var line = explanation.Modules[i];
            var hasParts = i + 1 < explanation.Modules.Count && explanation.Modules[i + 1].Depth > line.Depth;
            var source = SourceOf(line.Type);
            var link = root is null ? HtmlText.Of(line.Type.Name) : $"<a href=\"{HtmlText.Of(Path.GetRelativePath(Path.GetDirectoryName(Path.GetFullPath(target))!, Path.Combine(root, source)).Replace('\\', '/'))}\">{HtmlText.Of(line.Type.Name)}</a>";
            var share = line.Seconds / explanation.Seconds;
            html.Append(CultureInfo.InvariantCulture, $"<tr data-depth=\"{line.Depth}\"{(line.Depth > 1 ? " class=\"closed\"" : "")}><td class=\"place\">{new string(' ', 2 * line.Depth)}{(hasParts ? $"<button>{(line.Depth < 1 ? "▾" : "▸")}</button>" : "<button disabled></button>")}{HtmlText.Of(line.Path.Length > 0 ? line.Path : "the model")}</td><td title=\"{HtmlText.Of(source)}\">{link}</td><td>{line.Input}</td><td>{line.Output}</td><td class=\"number\">{line.Parameters:N0}</td><td class=\"number\">{line.Flops / 1e9:F3}</td><td class=\"number\">{(line.ActivationBytes > 0 ? MeasuredText.Bytes(line.ActivationBytes) : "")}</td><td class=\"number\">{MeasuredText.Time(line.Seconds)}</td><td><span class=\"meter\" style=\"width:{Math.Clamp(share, 0, 1) * 90:F1}px\"></span></td></tr>\n");
        }
        html.Append("</tbody></table></div></section>\n</main>\n<script>\n").Append(EmbeddedText.Read("model.js")).Append("</script></body>\n</html>\n");
        return html.ToString();
    }

    /// <summary>The checkout that a folder is in, so that links can lead to sources.</summary>
    private static string? Root(string folder)
    {
        for (var place = folder; place is not null; place = Path.GetDirectoryName(place))
            if (File.Exists(Path.Combine(place, "ClipGen.sln"))) return place;
        return null;
    }
}
