using System.Globalization;
using System.Text.Json;
using ClipGen.Kernels;
using ClipGen.OpCases;

namespace ClipGen.Benchmarks;

/// <summary>The large op cases at every instruction set, beside the roofs measured in the same run.</summary>
internal static class OpLadder
{
    /// <summary>Prints one line per case and level, for people or as JSON.</summary>
    public static void Run(string filter, int threads, int repeat, bool json, TextWriter output)
    {
        if (threads == 0) threads = Environment.ProcessorCount;
        if (!json) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"level",-10} {"case",-52} {"median",10} {"GFLOP/s",8} {"of peak",8} {"GB/s",7} {"of read",8}"));
        foreach (var level in SimdLevels.Available)
        {
            var peaks = MachinePeaks.Measure(threads, level);
            if (!json) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{level,-10} {$"peaks on {threads} threads",-52} {"",10} {peaks.Flops / 1e9,8:F1} {"",8} {peaks.ReadBytes / 1e9,7:F1}"));
            using var cpu = new CpuBackend(threads, level);
            foreach (var test in CaseRegistry.All.Where(test => test.Large && test.Name.Contains(filter, StringComparison.OrdinalIgnoreCase)))
            {
                var seconds = Time(cpu, test, repeat);
                // ILayerNorm is the contract of the folder LayerNorm.
                if (json) output.WriteLine(JsonSerializer.Serialize(new { level = level.ToString(), threads, op = test.Contract.Name[1..], @case = test.Name, median_s = seconds, flops = test.Work.Flops, bytes = test.Work.Bytes, peak_flops = peaks.Flops, peak_read_bytes = peaks.ReadBytes }));
                else output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{level,-10} {test.Name,-52} {seconds * 1e3,7:F3} ms {test.Work.Flops / seconds / 1e9,8:F1} {test.Work.Flops / seconds / peaks.Flops,8:P0} {test.Work.Bytes / seconds / 1e9,7:F1} {test.Work.Bytes / seconds / peaks.ReadBytes,8:P0}"));
            }
        }
    }

    // A case packs its weights each time it is run, as a model does once; a recording backend takes that out of the time.
    private static double Time(CpuBackend cpu, OpCase test, int repeat)
    {
        var timing = new TimingBackend(cpu);
        var times = new List<double>();
        for (var run = 0; run <= repeat; run++)
        {
            timing.Reset();
            CaseRunner.Execute(test, timing);
            if (run > 0) times.Add(timing.Times.Sum(op => op.Seconds));
        }
        times.Sort();
        return times[times.Count / 2];
    }
}
