using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ClipGen.Cli.Benchmarks;
using ClipGen.Kernels;
using ClipGen.Tensors;

namespace ClipGen.Cli.Commands;

/// <summary><c>bench</c>: repeatable timings.</summary>
internal sealed class BenchCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string[]> cases = new("case") { Description = BenchCases.Forms, Arity = ArgumentArity.OneOrMore };
    private readonly Option<int> repeat = new("--repeat") { Description = "Runs that count, after one that does not", DefaultValueFactory = _ => 5 };

    private readonly Option<bool> perOp = new("--ops") { Description = "Also what each kind of op took, for whole models" };

    private readonly Option<string?> compare = new("--compare") { Description = "Lines of an earlier bench --json: each case is told slower, faster or the same beyond noise, and a slower one makes the exit code 1" };

    // Seconds; a wait for a card takes some hundredths of a millisecond.
    private const double ShortestTiming = 2e-3;

    private readonly GptWeightsOption weights = new();
    private readonly MixedPrecision amp = new();

    public override Command Create()
    {
        var command = Command("bench", "Times ops and whole models of full size on computed weights; needs no files.", Run,
            "clipgen bench gemm:576x4096x1024 conv:128-128-3@256x256",
            "clipgen bench gpt_decode:8 --repeat 3 --json",
            "clipgen bench gemm:576x4096x1024 --repeat 15 --compare before.jsonl");
        command.Add(cases);
        command.Add(repeat);
        command.Add(perOp);
        command.Add(compare);
        command.Add(weights.Option);
        command.Add(amp.Option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var count = parsed.GetValue(repeat);
        if (count is < 1 or > 1000) throw new UsageException($"--repeat {count}: must be between 1 and 1000");
        // All names are read before the first case takes its time.
        var type = weights.Value(parsed);
        var tests = parsed.GetRequiredValue(cases).Select(name => (Name: name, Create: BenchCases.Parse(name, type))).ToList();
        var earlier = parsed.GetValue(compare) is { } file ? new BenchComparison(file) : null;
        using var device = Common.OpenDevice(parsed);
        amp.Apply(parsed, device);
        var threads = Common.Threads(parsed) is > 0 and var given ? given : Environment.ProcessorCount;
        bool titled = false, slower = false;
        foreach (var (name, create) in tests)
        {
            cancellation.ThrowIfCancellationRequested();
            using var test = Create(name, create, device);
            if (parsed.GetValue(perOp)) test.Ops?.WaitsForEach = true;
            var first = Timed(device, test, 1);
            // A card works while the host asks for more: what is shorter than a wait is measured many calls at a time.
            var calls = device.Backend.WorksLater && test.Ops is null ? (int)Math.Clamp(ShortestTiming / Timed(device, test, 1), 1, 100) : 1;
            test.Ops?.Reset();
            var seconds = new double[count];
            for (var i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                seconds[i] = Timed(device, test, calls);
            }
            var times = new BenchTimes(first, seconds);
            var key = new BenchKey(name, device.Name, threads, parsed.GetValue(weights.Option)!, parsed.GetValue(amp.Option));
            var verdict = earlier?.Judge(key, times);
            slower |= verdict?.Change == "slower";
            if (Common.IsJson(parsed))
                Output.WriteLine(JsonSerializer.Serialize(new
                {
                    @case = name,
                    device = device.Name,
                    weights = parsed.GetValue(weights.Option),
                    amp = parsed.GetValue(amp.Option),
                    threads,
                    median_s = times.Median,
                    min_s = times.Least,
                    p20_s = times.Percentile20,
                    p80_s = times.Percentile80,
                    max_s = times.Most,
                    first_s = times.First,
                    repeats = count,
                    calls,
                    peak_rss_mb = PeakMemory() / 1e6,
                    flops = test.Flops,
                    bytes = test.Bytes,
                    before_median_s = verdict?.Before,
                    ratio = verdict?.Ratio,
                    verdict = verdict?.Change,
                }, WithoutNulls));
            else
            {
                if (!titled) Output.WriteLine($"{"case",-28} {"median",10} {"20 %",10} {"80 %",10} {"min",10} {"first",10}   {"GFLOP/s",8} {"GB/s",7}{(earlier is null ? "" : $"   {"before",10}  ratio")}");
                titled = true;
                Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-28} {MeasuredText.Time(times.Median),10} {MeasuredText.Time(times.Percentile20),10} {MeasuredText.Time(times.Percentile80),10} {MeasuredText.Time(times.Least),10} {MeasuredText.Time(times.First),10}   {test.Flops / times.Median / 1e9,8:F1} {test.Bytes / times.Median / 1e9,7:F1}{(earlier is null ? "" : verdict is null ? "   not measured before" : $"   {MeasuredText.Time(verdict.Before),10}  {verdict.Ratio:F2} {verdict.Change}")}"));
            }
            if (parsed.GetValue(perOp) && test.Ops is { } ops) WriteOps(ops.Times, count, Common.IsJson(parsed) ? Error : Output);
        }
        return slower ? CommandLine.Failed : 0;
    }

    /// <summary>Seconds of a call, as the mean of some that follow one another.</summary>
    private static double Timed(Device device, BenchCase test, int calls)
    {
        var start = Stopwatch.GetTimestamp();
        for (var call = 0; call < calls; call++) test.Run();
        device.Backend.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }

    /// <summary>One line per kind of op, per run of the case.</summary>
    private static void WriteOps(IReadOnlyList<OpTime> ops, int runs, TextWriter table)
    {
        var all = ops.Sum(op => op.Seconds);
        foreach (var op in ops)
            table.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {op.Op,-18} {op.Calls / runs,7} calls {MeasuredText.Time(op.Seconds / runs),10} {op.Seconds / all,6:P0}   {op.Flops / op.Seconds / 1e9,8:F1} {op.Bytes / op.Seconds / 1e9,7:F1}"));
    }

    private static BenchCase Create(string name, Func<Device, BenchCase> create, Device device)
    {
        try
        {
            return create(device);
        }
        catch (OverflowException)
        {
            throw new UsageException($"case '{name}': is larger than memory can be; use smaller sizes");
        }
    }

    private static long PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
