using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Data.Records;

namespace ClipGen.Cli.Commands;

/// <summary><c>dataset pack</c>: pictures into files of records.</summary>
internal sealed class DatasetPackCommand(TextWriter output, TextWriter error) : DatasetCommand(output, error)
{
    private readonly Argument<string> target = new("OUT") { Description = "File to write: .ffr for FFRecord, .tar for WebDataset" };
    private readonly Option<int> shard = new("--shard") { Description = "Pictures of a file; more files are numbered: OUT-000000.tar. 0 for one file", DefaultValueFactory = _ => 0 };

    private readonly Option<long?> count = new("--count") { Description = "Pictures at most, the first ones; by default all" };

    public override Command Create()
    {
        var command = Command("pack", "Writes a dataset's pictures, as they are stored, into one file of records or several.", Run,
            "clipgen dataset pack photos/ photos.ffr",
            "clipgen dataset pack photos/ shards/photos.tar --shard 10000");
        command.Add(target);
        command.Add(shard);
        command.Add(count);
        AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var path = parsed.GetRequiredValue(target);
        OutputFiles.RequireWritable("OUT", path, FFRecordFile.Extension, ".tar");
        var most = parsed.GetValue(shard);
        if (most < 0) throw new UsageException($"--shard {most}: expected 0 (one file) or more");
        if (parsed.GetValue(count) is < 1) throw new UsageException($"--count {parsed.GetValue(count)}: expected at least 1");
        var dataset = Open(parsed);
        var total = Math.Min(parsed.GetValue(count) ?? long.MaxValue, dataset.Count);
        if (most == 0) most = total <= int.MaxValue ? (int)total : throw new UsageException($"--shard: {total:N0} pictures don't fit one file; give how many a file is to have");
        var files = new List<string>();
        var written = 0L;
        using var line = new ProgressLine(Error, Common.Quiet(parsed));
        line.Begin("pack", total, "pictures");
        for (var first = 0L; first < total; first += most)
        {
            var file = parsed.GetValue(shard) == 0 ? path : Path.ChangeExtension(path, null) + string.Create(CultureInfo.InvariantCulture, $"-{first / most:D6}{Path.GetExtension(path)}");
            DatasetWriter.Write(dataset, first, (int)Math.Min(most, total - first), file, () => line.Report(++written), cancellation);
            files.Add(file);
        }
        line.End();
        var bytes = files.Sum(file => new FileInfo(file).Length);
        Output.WriteLine(Common.IsJson(parsed)
            ? JsonSerializer.Serialize(new { files, pictures = written, bytes })
            : string.Create(CultureInfo.InvariantCulture, $"{written:N0} pictures, {bytes:N0} bytes: {(files.Count == 1 ? files[0] : $"{files.Count} files, {files[0]} to {files[^1]}")}"));
        return 0;
    }
}
