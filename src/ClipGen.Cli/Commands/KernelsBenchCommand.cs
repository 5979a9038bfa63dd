using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Cli.Benchmarks;
using ClipGen.Kernels;
using ClipGen.OpCases;

namespace ClipGen.Cli.Commands;

/// <summary><c>kernels bench</c>: the large cases of an op in every form that the device has of it, beside the roofs measured in the same run.</summary>
internal sealed class KernelsBenchCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string?> name = new("NAME") { Description = "An op, such as LayerNorm, or a part of a case's name; all large cases without it", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<int> repeat = new("--repeat") { Description = "Runs that count, after one that does not", DefaultValueFactory = _ => 7 };

    public override Command Create()
    {
        var command = Command("bench", "Times the large cases of an op at every instruction set and in every form, against the machine's measured peaks; with --variant in that form alone.", Run,
            "clipgen kernels bench LayerNorm", "clipgen kernels bench Conv2d --variant Conv2d=direct", "clipgen kernels bench --json");
        command.Add(name);
        command.Add(repeat);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var runs = parsed.GetValue(repeat) is >= 1 and var times ? times : throw new UsageException("--repeat: expected 1 or more");
        var wanted = parsed.GetValue(name);
        OpCase[] large = [.. CaseRegistry.All.Where(test => test.Large)];
        // An op's name means all of its cases, backward ones too.
        var cases = wanted is null ? large : [.. large.Where(test => OpOf(test).Equals(wanted, StringComparison.OrdinalIgnoreCase))];
        if (cases.Length == 0) cases = [.. large.Where(test => test.Name.Contains(wanted!, StringComparison.OrdinalIgnoreCase))];
        if (cases.Length == 0) throw new UsageException($"no large case '{wanted}'; ops with such cases: {string.Join(", ", large.Select(OpOf).Distinct().Order(StringComparer.Ordinal))}");
        Rung[] rungs = [.. Rungs(parsed, cases)];
        var asJson = Common.IsJson(parsed);
        var width = cases.Max(test => test.Name.Length);
        using var line = new ProgressLine(Error, Common.Quiet(parsed));
        if (!asJson) Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"form",-16} {"case".PadRight(width)} {"median",10} {"GFLOP/s",8} {"of peak",8} {"GB/s",7} {"of read",8}"));
        foreach (var rung in rungs)
        {
            using var device = rung.Open();
            var (flops, read) = rung.Peaks(device);
            OpCase[] chosen = [.. cases.Where(rung.Takes)];
            if (!asJson) Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{rung.Form,-16} {"measured peaks".PadRight(width)} {"",10} {flops / 1e9,8:F1} {"",8} {read / 1e9,7:F1}"));
            line.Begin(rung.Form, chosen.Length, "cases");
            for (var i = 0; i < chosen.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                var (test, seconds) = (chosen[i], Time(device, chosen[i], runs));
                if (asJson)
                    Output.WriteLine(JsonSerializer.Serialize(new { form = rung.Form, level = rung.Level, threads = Threads(parsed), op = OpOf(test), @case = test.Name, median_s = seconds, flops = test.Work.Flops, bytes = test.Work.Bytes, peak_flops = flops, peak_read_bytes = read }));
                else
                    Output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{rung.Form,-16} {test.Name.PadRight(width)} {MeasuredText.Time(seconds),10} {test.Work.Flops / seconds / 1e9,8:F1} {test.Work.Flops / seconds / flops,8:P0} {test.Work.Bytes / seconds / 1e9,7:F1} {test.Work.Bytes / seconds / read,8:P0}"));
                line.Report(i + 1);
            }
        }
        line.End();
        return 0;
    }

    /// <summary>The forms, one after another: on the CPU every instruction set, then, at the widest, what else there is to choose for an op; or only what was asked for.</summary>
    private IEnumerable<Rung> Rungs(ParseResult parsed, OpCase[] cases)
    {
        var asked = Common.Variants(parsed);
        if (!Common.IsCpu(parsed))
        {
            yield return new Rung("cuda", "cuda", () => Common.OpenDevice(parsed).Backend, backend => backend is CudaBackend card && card.MeasurePeaks() is var peaks ? (peaks.Flops, peaks.ReadBytes) : (double.NaN, double.NaN), _ => true);
            yield break;
        }
        if (asked != KernelVariants.Measured)
        {
            yield return Cpu(parsed, string.Join(' ', Common.VariantTexts(parsed)), asked, _ => true);
            yield break;
        }
        foreach (var level in SimdLevels.Available) yield return Cpu(parsed, level.ToString(), KernelVariants.Measured with { Simd = level }, _ => true);
        foreach (var variant in KernelVariants.All.Where(variant => variant.Op != "Simd" && cases.Any(test => OpOf(test) == variant.Op)))
            yield return Cpu(parsed, variant.Choice, variant.Apply(asked), test => OpOf(test) == variant.Op);
    }

    private Rung Cpu(ParseResult parsed, string form, KernelVariants variants, Func<OpCase, bool> takes)
    {
        var (threads, level) = (Threads(parsed), variants.Simd ?? SimdLevels.Default);
        return new Rung(form, level.ToString(), () => new CpuBackend(threads, variants: variants), _ => MachinePeaks.Measure(threads, level) is var peaks ? (peaks.Flops, peaks.ReadBytes) : default, takes);
    }

    private int Threads(ParseResult parsed) => Common.Threads(parsed) is > 0 and var threads ? threads : Environment.ProcessorCount;

    // ILayerNorm is the contract of the folder LayerNorm.
    private static string OpOf(OpCase test) => test.Contract.Name[1..];

    // A case packs its weights each time it is run, as a model does once; a recording backend takes that out of the time.
    private static double Time(IBackend backend, OpCase test, int repeat)
    {
        var timing = new TimingBackend(backend) { WaitsForEach = true };
        var times = new List<double>();
        for (var run = 0; run <= repeat; run++)
        {
            timing.Reset();
            CaseRunner.Execute(test, timing);
            times.Add(timing.Times.Sum(op => op.Seconds));
        }
        return new BenchTimes(times[0], times[1..]).Median;
    }

    /// <summary>One form of the ladder.</summary>
    private sealed record Rung(string Form, string Level, Func<IBackend> Open, Func<IBackend, (double Flops, double ReadBytes)> Peaks, Func<OpCase, bool> Takes);
}
