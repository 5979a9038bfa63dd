using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Cli.Download;

namespace ClipGen.Cli.Commands;

/// <summary><c>download</c>: published models into the folder where the other commands look for them.</summary>
internal sealed class DownloadCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private static readonly string[] CheckpointEndings = [".pt", ".pth", ".ckpt", ".safetensors"];

    private readonly Argument<string> set = new("SET") { Description = "Which: coco, the files that the authors of CLIP-GEN released", DefaultValueFactory = _ => "coco" };
    private readonly Option<string?> to = new("--to") { Description = "Folder for the files (default: the pretrained folder where models are looked for)" };
    private readonly Option<string?> mirror = new("--mirror") { Description = "Address of a folder that holds the same files, instead of where they are published" };
    private readonly Option<string?> manifest = new("--manifest") { Description = "Another list of files, as pretrained/manifest.json is one (default: the one in the folder, else the program's own)" };
    private readonly Option<bool> force = new("--force") { Description = "Fetch files that are there already" };
    private readonly Option<int> patience = new("--timeout") { Description = "Seconds that the server may say nothing", DefaultValueFactory = _ => 30 };

    public override Command Create()
    {
        var command = Command("download", "Fetches the released files (about 2.3 GB), checks them, and goes on where a download was cut off.", Run,
            "clipgen download",
            "clipgen download coco --mirror https://example.org/clip-gen",
            "clipgen download --to /data/models --json");
        command.Add(set);
        foreach (var option in (Option[])[to, mirror, manifest, force, patience]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetRequiredValue(set) is var name && name != "coco") throw new UsageException($"SET {ShownText.Of(name)}: the only set is coco");
        var place = Mirror(parsed);
        var seconds = parsed.GetValue(patience);
        if (seconds is < 1 or > 3600) throw new UsageException($"--timeout {seconds}: expected 1 to 3600 seconds");
        var folder = parsed.GetValue(to) ?? KnownFiles.PretrainedFolders.FirstOrDefault(Directory.Exists) ?? KnownFiles.PretrainedFolders.First();
        OutputFiles.RequireFolder("--to", folder);
        var list = parsed.GetValue(manifest) is { } given ? DownloadManifest.Load(given)
            : Path.Combine(folder, DownloadManifest.FileName) is var own && File.Exists(own) ? DownloadManifest.Load(own)
            : DownloadManifest.BuiltIn();
        Directory.CreateDirectory(folder);

        using var downloader = new Downloader(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(Math.Min(1, seconds / 10.0)));
        var results = list.Files.Select(file => Fetch(parsed, downloader, list, file, place, folder, cancellation)).ToList();
        if (Common.IsJson(parsed)) Output.WriteLine(JsonSerializer.Serialize(new { files = results.Select(file => new { file = file.Path, bytes = file.Bytes, sha256 = file.Sha256, fetched = file.IsNew, recorded = file.IsRecorded }) }));
        else
            foreach (var file in results)
                Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file.Path}: {file.Bytes:N0} bytes, SHA-256 {file.Sha256}, {(file.IsRecorded ? "recorded now" : "as expected")}{(file.IsNew ? "" : ", was there already")}"));
        return 0;
    }

    private Result Fetch(ParseResult parsed, Downloader downloader, DownloadManifest list, PublishedFile file, Uri? place, string folder, CancellationToken cancellation)
    {
        var path = Path.Combine(folder, file.Name);
        var isNew = parsed.GetValue(force) || !File.Exists(path);
        long length;
        string sha256;
        if (isNew)
        {
            using var line = new ProgressLine(Error, Common.Quiet(parsed));
            const long unit = 1 << 20;
            var began = false;
            sha256 = downloader.Fetch(file, AddressOf(file, place), path, arrived => Problem(file, arrived), Show, message =>
            {
                line.End();
                began = false;
                Warn(parsed, message);
            }, cancellation);
            line.End();
            length = new FileInfo(path).Length;

            void Show(long done, long total)
            {
                if (!began) line.Begin(file.Name, (total + unit - 1) / unit, "MiB");
                began = true;
                line.Report(done / unit);
            }
        }
        else
        {
            (length, sha256) = Downloader.Hash(path, cancellation);
            if (file.Sha256 is { } expected && expected != sha256)
                throw new JobException($"{path}: its SHA-256 is {sha256}, that of {file.Name} is {expected}; it is another file or damaged; fetch it again with --force, or move it away");
            if (Problem(file, path) is { } problem) throw new JobException($"{problem}; fetch it again with --force, or move it away");
        }
        if (file.Sha256 is not null) return new Result(path, length, sha256, isNew, false);
        // Nothing to compare with the first time; from now on there is.
        list.Record(folder, file.Name, length, sha256);
        Warn(parsed, $"{file.Name}: no SHA-256 is known for this file; that of what {(isNew ? "arrived" : "is there")} is recorded in {Path.Combine(folder, DownloadManifest.FileName)}");
        return new Result(path, length, sha256, isNew, true);
    }

    /// <summary>Whether a checkpoint can be read as one; nothing in it is executed. Of other files their hash says all that is to be said.</summary>
    private static string? Problem(PublishedFile file, string path)
    {
        if (!CheckpointEndings.Contains(Path.GetExtension(file.Name))) return null;
        try
        {
            using var checkpoint = Checkpoint.Open(path);
            return null;
        }
        catch (CheckpointException e)
        {
            return e.Message;
        }
    }

    private Uri? Mirror(ParseResult parsed) => parsed.GetValue(mirror) switch
    {
        null => null,
        var given => Uri.TryCreate(given, UriKind.Absolute, out var address) && Downloader.IsWeb(address) ? address
            : throw new UsageException($"--mirror {ShownText.Of(given)}: expected an address that begins with https:// or http://"),
    };

    private static Uri AddressOf(PublishedFile file, Uri? place) => place is null ? file.Source : new Uri($"{place.AbsoluteUri.TrimEnd('/')}/{Uri.EscapeDataString(file.Name)}");

    private sealed record Result(string Path, long Bytes, string Sha256, bool IsNew, bool IsRecorded);
}
