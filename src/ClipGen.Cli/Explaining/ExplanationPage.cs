using System.Globalization;
using System.Text;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Models.Explaining;
using ClipGen.Models.Pipeline;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Explaining;

/// <summary><c>explain.html</c>: how a sentence became a picture, from tokens to ranking, in one file that needs no network.</summary>
internal static class ExplanationPage
{
    private const int MostThumbnails = 64;
    private const int ThumbnailSide = 96;

    /// <summary>The page as text.</summary>
    /// <param name="prompt">The text.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="result">What came out.</param>
    /// <param name="explanation">How.</param>
    /// <param name="growth">Bytes of a GIF: the picture while its codes are written.</param>
    public static string Render(string prompt, GenerationSettings settings, GenerationResult result, GenerationExplanation explanation, byte[] growth)
    {
        var best = result.Pictures[explanation.Candidate];
        var html = new StringBuilder();
        html.Append(HtmlPage.Begin(prompt, EmbeddedText.Read("explain.css"), images: true, scripts: true));
        html.Append(CultureInfo.InvariantCulture, $"""
            <header><h1>From a sentence to a picture</h1><p class="model">“{HtmlText.Of(prompt)}”</p>
            <p class="facts">seed {settings.Seed} · {settings.Candidates} candidates · temperature {settings.Temperature} · guidance {settings.Guidance} · candidate {explanation.Candidate} is the best and is shown</p></header>

            """);
        Section(html, "1. Tokens", "CLIP's tokenizer cuts the text into pieces that it knows. The text tower reads their ids; the last position becomes the embedding.", Tokens(explanation));
        Section(html, "2. What the embedding holds", "The text without one word: how similar its embedding is to that of the whole text. A short bar is a word that matters.", Words(explanation));
        Section(html, "3. Codes", $"The GPT writes {explanation.Codes.Count} codes, row by row; each stands for a square of the picture. Left, the picture after each row of codes. Middle, how open each choice was: dark cells were certain, light ones open (entropy in bits). Right, what the position attended to in layer {explanation.AttentionLayer}, the mean of its heads. Point at a cell.", Choices(explanation, growth, best));
        Section(html, "4. The decoder", "The VQ-GAN's decoder turns codes into pixels. Each map is one stage: how strong its channels are at each place (root mean square), the strongest lightest.", Stages(explanation, best));
        Section(html, "5. The ranking", "CLIP looks at every candidate and compares it with the text (cosine similarity). Green frames are those that were kept.", Ranking(result));
        html.Append("<script type=\"application/json\" id=\"data\">").Append(Data(explanation)).Append("</script>\n<script>\n").Append(EmbeddedText.Read("explain.js")).Append("</script>\n</main></body>\n</html>\n");
        return html.ToString();
    }

    private static void Section(StringBuilder html, string title, string lead, string content) =>
        html.Append(CultureInfo.InvariantCulture, $"<section><h2>{title}</h2>\n<p class=\"facts lead\">{HtmlText.Of(lead)}</p>\n<div class=\"card\">{content}</div></section>\n");

    private static string Tokens(GenerationExplanation explanation) =>
        $"<div class=\"tokens\">{string.Concat(explanation.Tokens.Select(token => $"<span class=\"token\">{HtmlText.Of(token.Text)}<small>{token.Id}</small></span>"))}</div>";

    private static string Words(GenerationExplanation explanation)
    {
        if (explanation.Words.Count == 0) return "<p class=\"facts\">One word alone: there is nothing to leave out.</p>";
        var low = explanation.Words.Min(word => word.WithoutIt);
        // From the least similar to 1, so that differences show.
        var start = Math.Min(low - (1 - low) * 0.25, 0.999);
        return $"<div class=\"bars\">{string.Concat(explanation.Words.Select(word => $"<span>without “{HtmlText.Of(word.Word)}”</span><div style=\"width:{Share(word.WithoutIt)}%\"></div><span class=\"facts\">{Number(word.WithoutIt)} to the text, {Number(word.PictureWithoutIt)} to the picture</span>"))}</div>";

        string Share(float similarity) => Math.Clamp(100 * (similarity - start) / (1 - start), 0, 100).ToString("F1", CultureInfo.InvariantCulture);
    }

    private static string Choices(GenerationExplanation explanation, byte[] growth, Picture best)
    {
        var most = Math.Max(explanation.Codes.Max(choice => choice.Entropy), 1e-6f);
        var grid = $"style=\"grid-template-columns:repeat({explanation.Side},1fr)\"";
        return $"""
            <div class="row">
            <figure><img class="pixels" alt="the picture growing" src="data:image/gif;base64,{Convert.ToBase64String(growth)}"><figcaption>Growing row by row. Codes not yet written are left empty.</figcaption></figure>
            <figure><div class="cells" id="choices" {grid}>{string.Concat(explanation.Codes.Select(choice => $"<i style=\"background:{HeatMap.Css(choice.Entropy / most)}\"></i>"))}</div><figcaption>Entropy of each choice, at most {Number(most)} bits; {Number(explanation.Codes.Sum(choice => choice.Entropy))} bits in all.</figcaption></figure>
            <figure><div class="cells" id="attention" {grid}>{string.Concat(explanation.Codes.Select(_ => "<i></i>"))}</div><figcaption>Attention: <span id="text-share"></span>.</figcaption></figure>
            <figure>{Image(best, "pixels", "the picture")}<figcaption>The finished picture.</figcaption></figure>
            </div><pre id="choice"></pre>
            """;
    }

    private static string Stages(GenerationExplanation explanation, Picture best) =>
        $"<div class=\"row\">{string.Concat(explanation.Stages.Select(stage => $"<figure>{Image(HeatMap.Draw(stage.Strength, stage.Width, stage.Height), "map", stage.Path)}<figcaption>{HtmlText.Of(stage.Path)}<br>{stage.Width} x {stage.Height}, {stage.Channels} channels</figcaption></figure>"))}<figure>{Image(best, "map", "the picture")}<figcaption>the picture</figcaption></figure></div>";

    private static string Ranking(GenerationResult result)
    {
        var order = Reranker.Order([.. result.Scores]).ToList();
        var kept = result.Order.ToHashSet();
        var thumbs = string.Concat(order.Take(MostThumbnails).Select(n => $"<figure{(kept.Contains(n) ? " class=\"kept\"" : "")}>{Image(Thumbnail(result.Pictures[n]), "", $"candidate {n}")}{Number(result.Scores[n])}<br>no. {n}</figure>"));
        return $"<div class=\"thumbs\">{thumbs}</div>{(order.Count > MostThumbnails ? $"<p class=\"facts\">The best {MostThumbnails} of {order.Count}.</p>" : "")}";
    }

    private static Picture Thumbnail(Picture picture) => picture.Width <= ThumbnailSide ? picture : PillowResize.Bilinear(picture, ThumbnailSide, ThumbnailSide * picture.Height / picture.Width);

    private static string Image(Picture picture, string kind, string alt) => $"<img class=\"{kind}\" alt=\"{HtmlText.Of(alt)}\" src=\"data:image/png;base64,{Convert.ToBase64String(PictureFile.EncodePng(picture))}\">";

    private static string Number(float value) => value.ToString("F3", CultureInfo.InvariantCulture);

    /// <summary>What the script shows. Only numbers, so nothing in it can end the script.</summary>
    private static string Data(GenerationExplanation explanation)
    {
        var length = explanation.Codes.Count;
        // Shares of attention in 255ths of each row's largest weight on a code; what is on the text stands apart.
        var bytes = new byte[length * length];
        for (var t = 0; t < length; t++)
        {
            var row = explanation.Attention.AsSpan(t * length, length);
            var most = 0f;
            for (var i = 1; i <= t; i++) most = Math.Max(most, row[i]);
            for (var i = 1; i <= t && most > 0; i++) bytes[t * length + i] = (byte)Math.Round(255 * row[i] / most);
        }
        return JsonSerializer.Serialize(new
        {
            side = explanation.Side,
            first = Enumerable.Range(0, length).MaxBy(t => explanation.Codes[t].Entropy),
            choices = explanation.Codes.Select(choice => new { code = choice.Code, p = choice.Probability, rank = choice.Rank, bits = choice.Entropy, likely = choice.Likely.Select(one => new double[] { one.Code, one.Probability }) }),
            text = Enumerable.Range(0, length).Select(t => explanation.Attention[t * length]),
            attention = Convert.ToBase64String(bytes),
            scale = Enumerable.Range(0, 13).Select(i => HeatMap.Colour(i / 12.0)).Select(c => new int[] { c.R, c.G, c.B }),
        });
    }
}
