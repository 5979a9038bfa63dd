using System.Diagnostics;
using System.Runtime.InteropServices;
using ClipGen.Checkpoints;
using ClipGen.Training.Reporting;

namespace ClipGen.Cli.Tests;

/// <summary>Trainings as processes: asked to stop, killed at any moment, out of space.</summary>
public sealed partial class TrainProcessTests : IDisposable
{
    private const int Interrupt = 2, User = 10, Terminate = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TemporaryFolder place = new();

    public void Dispose() => place.Dispose();

    [Theory]
    [InlineData(Terminate, "SIGTERM")]
    [InlineData(Interrupt, "SIGINT")]
    [InlineData(User, "SIGUSR1")]
    public async Task ASignalSavesAndTheNextStartGoesOn(int signal, string name)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "sends signals by Linux's numbers");
        string[] job = TinyTraining.Clip(place["run"], "--epochs", "1000", "--log-every", "1");
        using var process = Start("dotnet", [Program, .. job]);
        List<string> lines = [];
        await ReadUntil(process, lines, line => StepOf(line) >= 2);
        Assert.Equal(0, Kill(process.Id, signal));
        var (code, output) = await End(process, lines);
        Assert.True(code == 0, string.Join('\n', lines));
        Assert.EndsWith($"{place["run"]}\n", output);
        var done = lines.Max(StepOf);
        Assert.StartsWith($"stopped by {name}: step {done}/", lines[^2]);
        Assert.Equal($"go on with the same command; it continues from {Latest}", lines[^1]);
        Assert.Equal(done, SavedStep());

        var next = await CliRun.Succeeds([.. job, "--max-steps", $"{done + 2}"]);
        Assert.Equal(done + 1, next.ErrorLines.Select(StepOf).First(step => step > 0));
        Assert.StartsWith("stopped at the limit of steps", next.ErrorLines[^2]);
        Assert.Equal(Enumerable.Range(1, (int)done + 2).Select(step => (long)step), MetricsTable.Read(place["run/metrics.csv"]).Rows.Select(row => row.Step));
    }

    [Fact]
    public async Task ASecondInterruptEndsAtOnce()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "sends signals by Linux's numbers");
        // Steps of seconds.
        using var process = Start("dotnet", [Program, "train", "vqgan", "--ds", "shapes", "--bs", "64", "--threads", "1", "--out", place["run"]]);
        List<string> lines = [];
        await ReadUntil(process, lines, line => line.StartsWith("memory:", StringComparison.Ordinal));
        await Task.Delay(700, TestContext.Current.CancellationToken);
        Assert.Equal(0, Kill(process.Id, Interrupt));
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.False(process.HasExited);
        Assert.Equal(0, Kill(process.Id, Interrupt));
        Assert.Equal(CommandLine.Interrupted, (await End(process, lines)).Code);
        Assert.False(File.Exists(Latest));
    }

    [Fact]
    public async Task KilledAtAnyMomentNothingIsLostButTheLastStep()
    {
        // Saves after every step, so that most of these kills come while a file is written.
        string[] job = TinyTraining.VqGan(place["run"], "--epochs", "1000", "--log-every", "1", "--save-every", "1", "--keep", "2", "--threads", "1");
        var (saved, wasSeen) = (0L, 0L);
        for (var round = 0; round < 6; round++)
        {
            using var process = Start("dotnet", [Program, .. job]);
            List<string> lines = [];
            await ReadUntil(process, lines, line => StepOf(line) > 0);
            await Task.Delay(Random.Shared.Next(0, 700), TestContext.Current.CancellationToken);
            process.Kill();
            await End(process, lines);
            // It went on where the last one's save was.
            Assert.Equal(saved + 1, lines.Select(StepOf).First(step => step > 0));
            wasSeen = Math.Max(wasSeen, lines.Max(StepOf));
            // A step's line comes before its save.
            saved = SavedStep();
            Assert.InRange(saved, wasSeen - 1, wasSeen);
            wasSeen = saved;
            var steps = MetricsTable.Read(place["run/metrics.csv"]).Rows.Select(row => row.Step).ToArray();
            Assert.Equal(Enumerable.Range(1, steps.Length).Select(step => (long)step), steps);
            Assert.True(steps.Length >= saved);
        }
        // Halves that a kill left are gone, and all is as if nobody had killed it.
        var total = $"{saved + 3}";
        await CliRun.Succeeds([.. job, "--max-steps", total]);
        Assert.DoesNotContain(place.Names, file => file.EndsWith(".tmp", StringComparison.Ordinal) || file.Contains(".probe", StringComparison.Ordinal));
        Assert.Equal(Enumerable.Range(1, (int)saved + 3).Select(step => (long)step), MetricsTable.Read(place["run/metrics.csv"]).Rows.Select(row => row.Step));
        await CliRun.Succeeds(TinyTraining.VqGan(place["whole"], "--epochs", "1000", "--log-every", "1", "--max-steps", total));
        Assert.Equal(File.ReadAllText(place["whole/metrics.csv"]), File.ReadAllText(place["run/metrics.csv"]));
        AssertSame(place["whole/latest.pt"], Latest);
    }

    [Fact]
    public async Task AFullDiskKeepsTheOldCheckpoint()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mounts a small file system of its own");
        // A file system in memory, seen by this process alone, that holds two checkpoints of 0.7 MB and not three.
        var full = place["full"];
        Directory.CreateDirectory(full);
        var script = $"mount -t tmpfs -o size=1900k none '{full}' || exit 77; cd /; {Quoted([Program, .. TinyTraining.VqGan(full, "--save-every", "1", "--log-every", "1")])}; code=$?; cp -r '{full}' '{place["copy"]}'; exit $code";
        using var process = Start("unshare", ["--mount", "--map-root-user", "bash", "-c", script]);
        List<string> lines = [];
        var (code, _) = await End(process, lines);
        Assert.SkipWhen(code is 77 || lines.Any(line => line.StartsWith("unshare:", StringComparison.Ordinal)), $"no file system of its own: {string.Join(' ', lines)}");
        Refused(code, lines, $"{full}/latest.pt", "free space");
        Assert.Equal(1, SavedStep(place["copy/latest.pt"]));
        Assert.DoesNotContain(place.Names, file => file.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALimitOnFilesKeepsTheOldCheckpoint()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "limits the size of files with ulimit");
        var job = TinyTraining.VqGan(place["run"], "--save-every", "1");
        await CliRun.Succeeds([.. job, "--max-steps", "2"]);
        var before = File.ReadAllBytes(Latest);
        // The runtime itself needs a large file for its code unless it is told to do without.
        using var process = Start("bash", ["-c", $"trap '' XFSZ; ulimit -f 300; export DOTNET_EnableWriteXorExecute=0; {Quoted([Program, .. job])}"]);
        List<string> lines = [];
        var (code, _) = await End(process, lines);
        Refused(code, lines, Latest, "too large");
        Assert.Equal(before, File.ReadAllBytes(Latest));
        Assert.DoesNotContain(place.Names, file => file.EndsWith(".tmp", StringComparison.Ordinal));
        // With room again, it goes on.
        Assert.Contains("step 3/", (await CliRun.Succeeds([.. job, "--max-steps", "3"])).ErrorLines[^2]);
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "clipgen.dll");

    private string Latest => place["run/latest.pt"];

    private static string Quoted(IEnumerable<string> args) => $"dotnet {string.Join(' ', args.Select(arg => $"'{arg}'"))}";

    private static void Refused(int code, List<string> lines, params string[] parts)
    {
        Assert.True(code == CommandLine.Failed, string.Join('\n', lines));
        var failure = Assert.Single(lines, line => line.StartsWith("clipgen ", StringComparison.Ordinal));
        Assert.StartsWith("clipgen train vqgan: ", failure);
        Assert.All(parts, part => Assert.Contains(part, failure));
        Assert.DoesNotContain("unexpected failure", failure);
        Assert.Equal(failure, lines[^1]);
    }

    private static long StepOf(string line) =>
        line.StartsWith("epoch ", StringComparison.Ordinal) && line.Split("  step ") is [_, var rest] && long.TryParse(rest.Split('/')[0], out var step) ? step : 0;

    private long SavedStep(string? path = null)
    {
        // A kill may come before the first save.
        if (!File.Exists(path ?? Latest)) return 0;
        using var checkpoint = Checkpoint.Open(path ?? Latest);
        checkpoint.Verify();
        return long.Parse((string)checkpoint.Values["clipgen.global_step"]!, System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void AssertSame(string expected, string found)
    {
        using Checkpoint a = Checkpoint.Open(expected), b = Checkpoint.Open(found);
        Assert.Equal(a.Tensors.Select(tensor => tensor.ToString()), b.Tensors.Select(tensor => tensor.ToString()));
        foreach (var (one, other) in a.Tensors.Zip(b.Tensors))
        {
            byte[] first = new byte[one.Count * one.Type.ByteSize()], second = new byte[first.Length];
            one.ReadBytes(0, first);
            other.ReadBytes(0, second);
            Assert.True(first.AsSpan().SequenceEqual(second), $"{one} differs");
        }
        Assert.Equal(a.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal), b.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal));
    }

    private static Process Start(string program, IEnumerable<string> args) => Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;

    private static async Task ReadUntil(Process process, List<string> lines, Func<string, bool> isIt)
    {
        while (await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience, TestContext.Current.CancellationToken) is { } line)
        {
            lines.Add(line);
            if (isIt(line)) return;
        }
        Assert.Fail($"the program ended: {string.Join('\n', lines)}");
    }

    private static async Task<(int Code, string Output)> End(Process process, List<string> lines)
    {
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var rest = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        lines.AddRange(rest.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
