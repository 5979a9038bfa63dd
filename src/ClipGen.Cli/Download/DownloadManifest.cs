using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ClipGen.Files;

namespace ClipGen.Cli.Download;

/// <summary>A published file.</summary>
/// <param name="Name">File name, without a folder.</param>
/// <param name="Model">What it holds, for people.</param>
/// <param name="Source">Where it is published.</param>
/// <param name="Size">Bytes; null where nobody has recorded them.</param>
/// <param name="Sha256">SHA-256 in lower-case hex; null where nobody has recorded it.</param>
internal sealed record PublishedFile(string Name, string Model, Uri Source, long? Size, string? Sha256);

/// <summary>
/// A list of published files: <c>{"files":[{"name","model","source","size","sha256"}]}</c>. Sizes and hashes may be null; they are filled in when a file arrives whole for the first time, so that another file under the
/// same name is noticed from then on.
/// </summary>
internal sealed class DownloadManifest
{
    /// <summary>Its name in a folder of models.</summary>
    public const string FileName = "manifest.json";

    private const long LargestFile = 1 << 20;
    private readonly string origin;
    private readonly JsonObject root;

    private DownloadManifest(string origin, string text)
    {
        this.origin = origin;
        try
        {
            root = JsonNode.Parse(text)?.AsObject() ?? throw Refuse("is empty");
            Files = [.. (root["files"] as JsonArray ?? throw Refuse("has no list \"files\"")).Select(Entry)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw Refuse($"is not a list of files: {e.Message.Split('.')[0]}");
        }
        if (Files.Count == 0) throw Refuse("lists no file");
        if (Files.GroupBy(file => file.Name).FirstOrDefault(group => group.Count() > 1) is { } twice) throw Refuse($"lists {twice.Key} twice");
    }

    /// <summary>The files, in the list's order.</summary>
    public IReadOnlyList<PublishedFile> Files { get; private set; }

    /// <summary>Reads a list.</summary>
    /// <exception cref="JobException">It is missing or no such list; the message says where and what.</exception>
    public static DownloadManifest Load(string path)
    {
        try
        {
            if (new FileInfo(path).Length > LargestFile) throw new JobException($"{path}: is larger than {LargestFile:N0} bytes, too large for a list of files");
            return new DownloadManifest(path, File.ReadAllText(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JobException($"{path}: can't be read: {e.Message}");
        }
    }

    /// <summary>The list that came with the program.</summary>
    public static DownloadManifest BuiltIn()
    {
        using var reader = new StreamReader(typeof(DownloadManifest).Assembly.GetManifestResourceStream(FileName)!);
        return new DownloadManifest(FileName, reader.ReadToEnd());
    }

    /// <summary>Fills in a file's size and hash, and writes the list to a folder.</summary>
    /// <exception cref="JobException">It can't be written.</exception>
    public void Record(string folder, string name, long size, string sha256)
    {
        foreach (var node in root["files"]!.AsArray())
        {
            if ((string?)node!["name"] != name) continue;
            node["size"] = size;
            node["sha256"] = sha256;
        }
        Files = [.. Files.Select(file => file.Name == name ? file with { Size = size, Sha256 = sha256 } : file)];
        var path = Path.Combine(folder, FileName);
        var text = root.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)), (reason, _) => new JobException($"{path}: can't be written: {reason}"));
    }

    private PublishedFile Entry(JsonNode? node)
    {
        var entry = node as JsonObject ?? throw Refuse("has an entry that is no object");
        var name = (string?)entry["name"] ?? throw Refuse("has an entry without a name");
        // A name becomes a path: it must not lead out of the folder.
        if (name.Length is 0 or > 255 || name[0] == '.' || name.Any(c => c is '/' or '\\' or ':' || char.IsControl(c))) throw Refuse($"has the name \"{ShownText.Of(name)}\", which is no plain file name");
        if (name.Equals(FileName, StringComparison.OrdinalIgnoreCase)) throw Refuse($"lists {FileName}, the name of the list itself");
        if (!Uri.TryCreate((string?)entry["source"], UriKind.Absolute, out var source) || !Downloader.IsWeb(source)) throw Refuse($"has no http or https address as source of {name}");
        var size = (long?)entry["size"];
        if (size <= 0) throw Refuse(string.Create(CultureInfo.InvariantCulture, $"gives {name} a size of {size}"));
        var sha256 = ((string?)entry["sha256"])?.ToLowerInvariant();
        if (sha256 is not null && (sha256.Length != 64 || !sha256.All(char.IsAsciiHexDigit))) throw Refuse($"gives {name} a SHA-256 that is not 64 hex digits");
        return new PublishedFile(name, (string?)entry["model"] ?? "", source, size, sha256);
    }

    private JobException Refuse(string complaint) => new($"{origin}: {complaint}");
}
