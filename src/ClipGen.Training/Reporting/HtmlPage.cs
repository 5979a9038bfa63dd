namespace ClipGen.Training.Reporting;

/// <summary>Pages of the project: one file each, light and dark, fetching nothing, which a policy makes the browser enforce.</summary>
public static class HtmlPage
{
    private static readonly Lazy<string> Style = new(() =>
    {
        using var resource = typeof(HtmlPage).Assembly.GetManifestResourceStream("report.css")!;
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    });

    /// <summary>Everything up to and including <c>&lt;main&gt;</c>.</summary>
    /// <param name="title">The title, as plain text.</param>
    /// <param name="style">Rules beside those of all pages.</param>
    /// <param name="images">Whether it holds images, as data.</param>
    /// <param name="scripts">Whether it holds scripts.</param>
    public static string Begin(string title, string style = "", bool images = false, bool scripts = false) => $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; {(images ? "img-src data:; " : "")}style-src 'unsafe-inline'{(scripts ? "; script-src 'unsafe-inline'" : "")}">
        <title>{HtmlText.Of(title)}</title>
        <style>
        {Style.Value}{style}</style>
        </head>
        <body><main>

        """;
}
