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
        var command = Command("devices", "Shows the processor's features, lists the CUDA cards, and measures the peaks of both (about two seconds).", Run, "clipgen devices", "clipgen devices --json");
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        // All are shown; what is asked for must still exist.
        Common.OpenDevice(parsed).Dispose();
        var level = SimdLevels.Default;
        var all = Common.Threads(parsed) is > 0 and var given ? given : Environment.ProcessorCount;
        List<MachinePeaks> peaks = [MachinePeaks.Measure(1, level)];
        cancellation.ThrowIfCancellationRequested();
        if (all > 1) peaks.Add(MachinePeaks.Measure(all, level));
        var cards = CudaDevices.Find().Select(card => Measure(card, cancellation)).ToList();
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                devices = new[]
                {
                    new
                    {
                        device = "cpu",
                        architecture = RuntimeInformation.ProcessArchitecture.ToString(),
                        processors = Environment.ProcessorCount,
                        memory_bytes = memory,
                        simd = level.ToString(),
                        simd_available = SimdLevels.Available.Select(l => l.ToString()),
                        peaks = peaks.Select(p => new { threads = p.Threads, gflops = p.Flops / 1e9, read_gb_s = p.ReadBytes / 1e9 }),
                    },
                },
                cuda = cards.Select(found => new
                {
                    device = $"cuda:{found.Card.Index}",
                    name = found.Card.Name,
                    capability = found.Card.Capability / 10.0,
                    memory_bytes = found.Card.MemoryBytes,
                    multiprocessors = found.Card.Multiprocessors,
                    driver = found.Card.Driver,
                    peaks = found.Peaks is { } peak ? new { tflops = peak.Flops / 1e12, tensor_core_tflops = peak.TensorCoreFlops / 1e12, read_gb_s = peak.ReadBytes / 1e9 } : null,
                    problem = found.Problem,
                }),
            }));
            return 0;
        }
        Output.WriteLine($"cpu     {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {MeasuredText.GiB(memory)} for this process");
        Output.WriteLine($"        SIMD: {level} (available: {string.Join(", ", SimdLevels.Available)}; {SimdLevels.Variable} forces one)");
        foreach (var p in peaks)
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"        measured on {p.Threads} thread{(p.Threads == 1 ? "" : "s")}: {p.Flops / 1e9:F0} GFLOP/s multiply-add, {p.ReadBytes / 1e9:F1} GB/s read"));
        foreach (var (card, peak, problem) in cards)
        {
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"cuda:{card.Index}  {card.Name}, compute capability {card.Capability / 10}.{card.Capability % 10}, {card.Multiprocessors} multiprocessors, {MeasuredText.GiB(card.MemoryBytes)}, CUDA {card.Driver}"));
            Output.WriteLine(peak is null
                ? $"        {problem}"
                : string.Create(CultureInfo.InvariantCulture, $"        measured: {peak.Flops / 1e12:F1} TFLOP/s multiply-add, {peak.TensorCoreFlops / 1e12:F0} TFLOP/s bf16 on tensor cores, {peak.ReadBytes / 1e9:F0} GB/s read"));
        }
        if (cards.Count == 0) Output.WriteLine($"cuda    none: {CudaDevices.Absence}");
        return 0;
    }

    private static (CudaDeviceInfo Card, CudaPeaks? Peaks, string? Problem) Measure(CudaDeviceInfo card, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            using var backend = CudaBackend.Open(card.Index);
            return (card, backend.MeasurePeaks(), null);
        }
        catch (CudaDeviceException refused)
        {
            return (card, null, refused.Message);
        }
    }
}
