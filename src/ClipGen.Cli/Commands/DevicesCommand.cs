using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using ClipGen.Kernels;

namespace ClipGen.Cli.Commands;

/// <summary><c>devices</c>: what there is to compute on, and what it can do at most.</summary>
internal sealed class DevicesCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    public override Command Create()
    {
        var command = Command("devices", "Shows the processor's features and measures its peaks (about two seconds).", Run, "clipgen devices", "clipgen devices --json");
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var device = Common.OpenDevice(parsed);
        var level = SimdLevels.Default;
        var all = Common.Threads(parsed) is > 0 and var given ? given : Environment.ProcessorCount;
        List<MachinePeaks> peaks = [MachinePeaks.Measure(1, level)];
        cancellation.ThrowIfCancellationRequested();
        if (all > 1) peaks.Add(MachinePeaks.Measure(all, level));
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                devices = new[]
                {
                    new
                    {
                        device = device.Name,
                        architecture = RuntimeInformation.ProcessArchitecture.ToString(),
                        processors = Environment.ProcessorCount,
                        memory_bytes = memory,
                        simd = level.ToString(),
                        simd_available = SimdLevels.Available.Select(l => l.ToString()),
                        peaks = peaks.Select(p => new { threads = p.Threads, gflops = p.Flops / 1e9, read_gb_s = p.ReadBytes / 1e9 }),
                    },
                },
            }));
            return 0;
        }
        Output.WriteLine($"cpu     {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {(memory / (double)(1L << 30)).ToString("F1", CultureInfo.InvariantCulture)} GiB for this process");
        Output.WriteLine($"        SIMD: {level} (available: {string.Join(", ", SimdLevels.Available)}; {SimdLevels.Variable} forces one)");
        foreach (var p in peaks)
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"        measured on {p.Threads} thread{(p.Threads == 1 ? "" : "s")}: {p.Flops / 1e9:F0} GFLOP/s multiply-add, {p.ReadBytes / 1e9:F1} GB/s read"));
        return 0;
    }
}
