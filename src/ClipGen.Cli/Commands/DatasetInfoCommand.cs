using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Data.Datasets;

namespace ClipGen.Cli.Commands;

/// <summary><c>dataset info</c>: how many pictures, and what some of them are like.</summary>
internal sealed class DatasetInfoCommand(TextWriter output, TextWriter error) : DatasetCommand(output, error)
{
    private readonly Option<int> sample = new("--sample") { Description = "Pictures to decode, spread over the dataset; 0 for none", DefaultValueFactory = _ => 64 };

    public override Command Create()
    {
        var command = Command("info", "Says how many pictures a dataset has, and of a sample their sizes, bytes, and which can't be read.", Run,
            "clipgen dataset info photos/",
            "clipgen dataset info coco --data-root /data/coco --json");
        command.Add(sample);
        AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var wanted = parsed.GetValue(sample);
        if (wanted < 0) throw new UsageException($"--sample {wanted}: expected 0 or more");
        var dataset = Open(parsed);
        var count = (int)Math.Min(wanted, dataset.Count);
        List<(int Width, int Height, long Bytes)> found = [];
        List<string> problems = [];
        ForEachPicture(parsed, "decode", Enumerable.Range(0, count).ToList(), i =>
        {
            // Evenly spread, the first and the last included.
            var index = count == 1 ? 0 : (long)((Int128)i * (dataset.Count - 1) / (count - 1));
            try
            {
                var picture = dataset.Load(index);
                found.Add((picture.Width, picture.Height, dataset is IStoredDataset stored ? stored.Stored(index).LongLength : 0));
            }
            catch (DataException e)
            {
                problems.Add(e.Message);
            }
            return true;
        }, cancellation);

        var kind = dataset.GetType().Name.Replace("Dataset", "", StringComparison.Ordinal);
        var bytes = found.Count > 0 ? found.Average(picture => (double)picture.Bytes) : 0;
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                dataset = dataset.Name,
                kind,
                pictures = dataset.Count,
                sample = count,
                unreadable = problems,
                width = Json(Range(found.Select(picture => picture.Width))),
                height = Json(Range(found.Select(picture => picture.Height))),
                mean_bytes = bytes > 0 ? bytes : (double?)null,
            }));
            return 0;
        }
        Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{dataset.Name}: {dataset.Count:N0} pictures ({kind})"));
        if (count == 0) return 0;
        if (Range(found.Select(picture => picture.Width)) is { } width && Range(found.Select(picture => picture.Height)) is { } height)
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"of {count:N0} decoded: {width.Least} to {width.Most} pixels wide (median {width.Median}), {height.Least} to {height.Most} high (median {height.Median}){(bytes > 0 ? string.Create(CultureInfo.InvariantCulture, $", {bytes / 1024:F1} KiB each, about {bytes * dataset.Count / (1 << 20):N0} MiB in all") : "")}"));
        Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{problems.Count} of them can't be read{(problems.Count == 0 ? "" : ":")}"));
        foreach (var problem in problems) Output.WriteLine(problem);
        return 0;
    }

    private static object? Json(SizeRange? range) => range is null ? null : new { least = range.Least, median = range.Median, most = range.Most };

    private static SizeRange? Range(IEnumerable<int> sizes)
    {
        int[] sorted = [.. sizes.Order()];
        return sorted.Length == 0 ? null : new SizeRange(sorted[0], sorted[sorted.Length / 2], sorted[^1]);
    }

    private sealed record SizeRange(int Least, int Median, int Most);
}
