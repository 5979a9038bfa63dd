using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ClipGen.Kernels;
using ClipGen.OpCases;

namespace ClipGen.Cli.Commands;

/// <summary><c>selftest</c>: every op's cases on a device, against the double-precision reference: what the tests do, where there is no SDK to run them.</summary>
internal sealed class SelftestCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Option<string?> filter = new("--filter") { Description = "Only cases whose name contains this" };
    private readonly Option<int> repeat = new("--repeat") { Description = "Runs of each case; all must give the same bits, or threads race", DefaultValueFactory = _ => 3 };
    private readonly Option<double> mostFlops = new("--most-flops") { Description = "Leave out cases with more work than this; 0 for no limit (cuda-emulated: 3e6 unless given)" };

    private readonly MixedPrecision amp = new();

    public override Command Create()
    {
        var command = Command("selftest", "Runs every op's cases on a device and holds them against the double-precision reference: values, untouched surroundings, equal bits when repeated.", Run,
            "clipgen selftest --device cuda", "clipgen selftest --device cuda --amp", "clipgen selftest --device cpu --filter LayerNorm");
        command.Add(filter);
        command.Add(repeat);
        command.Add(mostFlops);
        command.Add(amp.Option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var device = Common.OpenDevice(parsed);
        amp.Apply(parsed, device);
        using var reference = new ReferenceBackend();
        var most = parsed.GetResult(mostFlops) is { Implicit: false } ? parsed.GetValue(mostFlops) : device.Name == "cuda-emulated" ? 3e6 : 0;
        var runs = parsed.GetValue(repeat) is >= 1 and var times ? times : throw new UsageException("--repeat: expected 1 or more");
        var wanted = parsed.GetValue(filter);
        var rounded = parsed.GetValue(amp.Option);
        OpCase[] cases = [.. CaseRegistry.All.Where(test => !test.Large && (most == 0 || test.Work.Flops <= most) && (!rounded || BFloat16Cases.HasProducts(test)) && (wanted is null || test.Name.Contains(wanted, StringComparison.OrdinalIgnoreCase)))];
        if (cases.Length == 0) throw new UsageException($"--filter {wanted}: no case has that in its name");
        List<(string Case, string Problem)> failures = [];
        var clock = Stopwatch.StartNew();
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            line.Begin("cases", cases.Length, "cases");
            for (var i = 0; i < cases.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (Problem(cases[i], reference, device.Backend, runs, rounded) is { } problem) failures.Add((cases[i].Name, problem));
                line.Report(i + 1);
            }
            line.End();
        }
        var passed = cases.Length - failures.Count;
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new { device = device.Name, passed, failed = failures.Count, seconds = clock.Elapsed.TotalSeconds, failures = failures.Select(failure => new { name = failure.Case, problem = failure.Problem }) }));
        }
        else
        {
            foreach (var (name, problem) in failures) Output.WriteLine($"FAILED {name}: {problem.ReplaceLineEndings(" ")}");
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{device.Name}: {passed} of {cases.Length} cases passed, {failures.Count} failed, in {clock.Elapsed.TotalSeconds:F1} s"));
        }
        return failures.Count == 0 ? 0 : CommandLine.Failed;
    }

    private static string? Problem(OpCase test, ReferenceBackend reference, IBackend backend, int runs, bool rounded)
    {
        try
        {
            var expected = Execute(reference);
            var first = Execute(backend);
            if (rounded) BFloat16Cases.Compare(test, expected, first, backend.Name);
            else CaseRunner.Compare(test, expected, first, backend.Name);
            for (var run = 1; run < runs; run++)
            {
                // Off its alignment every other time: a kernel may not count on it.
                var again = Execute(backend, run % 2);
                foreach (var (name, values) in first)
                    for (var i = 0; i < values.Length; i++)
                        if (!values[i].Equals(again[name][i])) return $"{name}[{i}] was {values[i]:R} and is {again[name][i]:R} when repeated";
            }
            return null;
        }
        catch (Exception e) when (e is CaseFailedException or ArgumentException or CudaLaunchException or DeviceMemoryException)
        {
            return e.Message;
        }

        Dictionary<string, double[]> Execute(IBackend on, int shift = 0) => rounded ? BFloat16Cases.Execute(test, on, shift) : CaseRunner.Execute(test, on, shift);
    }
}
