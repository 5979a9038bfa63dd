using System.Text.Json;
using ClipGen.Files;
using ClipGen.Kernels;

namespace ClipGen.Cli.Profiling;

/// <summary><c>trace.json</c>: the events of a profile in the format that Perfetto (ui.perfetto.dev) and chrome://tracing read: complete events ("X") in microseconds, counters ("C"), names of threads ("M").</summary>
internal static class ChromeTrace
{
    /// <summary>Writes the file in one piece.</summary>
    /// <exception cref="JobException">It can't be written.</exception>
    public static void Write(string path, ProfileReport report) => AtomicFile.Write(path, stream => Write(stream, report), (reason, _) => new JobException($"--out {path}: can't be written: {reason}"));

    private static void Write(Stream stream, ProfileReport report)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartObject("otherData");
        json.WriteString("command", report.Command);
        json.WriteString("device", report.Device?.Name ?? "none");
        json.WriteNumber("dropped_events", report.Profiler.DroppedEvents);
        json.WriteEndObject();
        json.WriteStartArray("traceEvents");
        foreach (var track in report.Profiler.Tracks)
        {
            json.WriteStartObject();
            json.WriteString("ph", "M");
            json.WriteString("name", "thread_name");
            json.WriteNumber("pid", 1);
            json.WriteNumber("tid", track.Index);
            json.WriteStartObject("args");
            json.WriteString("name", track.Index == 0 ? "command" : $"thread {track.Index}");
            json.WriteEndObject();
            json.WriteEndObject();
            var live = -1L;
            foreach (var happened in track.Events)
            {
                Write(json, report, track.Index, happened);
                if (happened.Op is null || happened.LiveBytes == live) continue;
                live = happened.LiveBytes;
                json.WriteStartObject();
                json.WriteString("ph", "C");
                json.WriteString("name", "device memory");
                json.WriteNumber("pid", 1);
                json.WriteNumber("ts", Microseconds(report, happened.End));
                json.WriteStartObject("args");
                json.WriteNumber("bytes", live);
                json.WriteEndObject();
                json.WriteEndObject();
                if (json.BytesPending > 1 << 20) json.Flush();
            }
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ProfileReport report, int thread, in ProfileEvent happened)
    {
        json.WriteStartObject();
        json.WriteString("ph", "X");
        json.WriteString("name", happened.Op ?? happened.Place.Name);
        json.WriteString("cat", happened.Op is null ? "place" : "op");
        json.WriteNumber("pid", 1);
        json.WriteNumber("tid", thread);
        json.WriteNumber("ts", Microseconds(report, happened.Start));
        json.WriteNumber("dur", Math.Round(Profiler.Seconds(happened.End - happened.Start) * 1e6, 3));
        if (happened.Op is not null)
        {
            var seconds = Profiler.Seconds(happened.End - happened.Start);
            json.WriteStartObject("args");
            json.WriteString("place", happened.Place.Name);
            json.WriteNumber("flops", happened.Work.Flops);
            json.WriteNumber("bytes", happened.Work.Bytes);
            if (seconds > 0) json.WriteNumber("gflop_s", Math.Round(happened.Work.Flops / seconds / 1e9, 3));
            if (seconds > 0) json.WriteNumber("gb_s", Math.Round(happened.Work.Bytes / seconds / 1e9, 3));
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static double Microseconds(ProfileReport report, long ticks) => Math.Round(Profiler.Seconds(ticks - report.Profiler.Started) * 1e6, 3);
}
