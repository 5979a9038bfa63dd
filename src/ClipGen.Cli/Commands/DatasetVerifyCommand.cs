using System.Collections.Concurrent;
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Data.Datasets;

namespace ClipGen.Cli.Commands;

/// <summary><c>dataset verify</c>: reads every picture.</summary>
internal sealed class DatasetVerifyCommand(TextWriter output, TextWriter error) : DatasetCommand(output, error)
{
    private readonly Option<bool> checksumsOnly = new("--checksums-only") { Description = "Read the bytes and check their checksums, where there are some, but decode nothing" };

    public override Command Create()
    {
        var command = Command("verify", "Reads and decodes every picture of a dataset, checksums of records included; names those that are bad.", Run,
            "clipgen dataset verify photos.ffr",
            "clipgen dataset verify shards/ --checksums-only");
        command.Add(checksumsOnly);
        AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var dataset = Open(parsed);
        var stored = parsed.GetValue(checksumsOnly) ? dataset as IStoredDataset ?? throw new UsageException("--checksums-only: the synthetic world has no bytes that are stored") : null;
        var problems = new ConcurrentDictionary<long, string>();
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            line.Begin("verify", dataset.Count, "pictures");
            var done = 0L;
            var threads = Common.Threads(parsed) is > 0 and var given ? given : Environment.ProcessorCount;
            var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation };
            Parallel.For(0L, dataset.Count, options, index =>
            {
                try
                {
                    if (stored is not null) stored.Stored(index);
                    else dataset.Load(index);
                }
                catch (DataException e)
                {
                    problems[index] = e.Message;
                }
                var now = Interlocked.Increment(ref done);
                lock (line) line.Report(Math.Max(now, Interlocked.Read(ref done)));
            });
            line.End();
        }
        var bad = problems.OrderBy(problem => problem.Key).Select(problem => problem.Value).ToArray();
        if (Common.IsJson(parsed)) Output.WriteLine(JsonSerializer.Serialize(new { dataset = dataset.Name, pictures = dataset.Count, bad = problems.OrderBy(problem => problem.Key).Select(problem => new { index = problem.Key, problem = problem.Value }) }));
        else
        {
            foreach (var problem in bad) Output.WriteLine(problem);
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{dataset.Name}: {dataset.Count - bad.Length:N0} of {dataset.Count:N0} pictures are good"));
        }
        return bad.Length == 0 ? 0 : throw new JobException(string.Create(CultureInfo.InvariantCulture, $"{dataset.Name}: {bad.Length:N0} of {dataset.Count:N0} pictures are bad"));
    }
}
