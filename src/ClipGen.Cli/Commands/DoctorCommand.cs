using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Kernels;
using ClipGen.Models;

namespace ClipGen.Cli.Commands;

/// <summary><c>doctor</c>: what this machine has of what ClipGen can use, what is missing, and how to get it.</summary>
internal sealed class DoctorCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private const long LeastMemory = 2L << 30;
    private const long LeastDisk = 4L << 30;

    // Those that a picture takes.
    private static readonly ModelKind[] Models = [ModelKind.Clip, ModelKind.VqGan, ModelKind.Gpt];

    private enum Health
    {
        Good,
        Optional,
        Missing,
    }

    public override Command Create()
    {
        var command = Command("doctor", "Checks what ClipGen needs and what it can use: runtime, processor, memory, disk, pictures, models, CUDA; and says how to get what is missing. The exit code is 1 only where something needed is.", Run, "clipgen doctor", "clipgen doctor --json");
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        List<Finding> findings = [];
        foreach (var check in (Func<Finding>[])[Runtime, Processor, Memory, Disk, Pictures, BuiltInModel, ReleasedFiles, Vocabulary, Card, Assembler])
        {
            cancellation.ThrowIfCancellationRequested();
            findings.Add(check());
        }
        if (Common.IsJson(parsed))
            Output.WriteLine(JsonSerializer.Serialize(new { findings = findings.Select(finding => new { what = finding.What, health = finding.Health.ToString().ToLowerInvariant(), found = finding.Found, remedy = finding.Remedy }) }));
        else
            foreach (var finding in findings)
            {
                Output.WriteLine($"{Mark(finding.Health),-9} {finding.What,-16} {finding.Found}");
                if (finding.Remedy is not null) Output.WriteLine($"{"",-26} {finding.Remedy}");
            }
        return findings.Any(finding => finding.Health == Health.Missing) ? CommandLine.Failed : 0;
    }

    private static string Mark(Health health) => health switch { Health.Good => "ok", Health.Optional => "optional", _ => "missing" };

    private static Finding Runtime() => new(".NET", Health.Good, $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}", null);

    private static Finding Processor()
    {
        try
        {
            var level = SimdLevels.Default;
            return level >= SimdLevel.Avx2 || RuntimeInformation.ProcessArchitecture == Architecture.Arm64
                ? new("processor", Health.Good, $"{Environment.ProcessorCount} processors, {level}", null)
                : new("processor", Health.Optional, $"{Environment.ProcessorCount} processors, {level} only", $"a processor with AVX2 or AVX-512 is several times as fast; is {SimdLevels.Variable} set, or a virtual machine hiding it?");
        }
        catch (PlatformNotSupportedException wrong)
        {
            return new("processor", Health.Missing, wrong.Message, $"unset {SimdLevels.Variable}, or set one of {string.Join(", ", SimdLevels.Available)}");
        }
    }

    private static Finding Memory()
    {
        var bytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return bytes >= LeastMemory
            ? new("memory", Health.Good, $"{MeasuredText.GiB(bytes)} for this process", null)
            : new("memory", Health.Optional, $"{MeasuredText.GiB(bytes)} for this process", "enough for the built-in model; the released ones take 2 GiB");
    }

    private static Finding Disk()
    {
        var folder = Path.GetFullPath(".");
        try
        {
            var free = new DriveInfo(folder).AvailableFreeSpace;
            return free >= LeastDisk
                ? new("disk", Health.Good, $"{MeasuredText.GiB(free)} free in {folder}", null)
                : new("disk", Health.Optional, $"{MeasuredText.GiB(free)} free in {folder}", "the released files take 2.3 GiB, and each checkpoint of a full-size training up to 4; free some, or work elsewhere");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new("disk", Health.Optional, $"free space of {folder} can't be told ({failure.Message})", null);
        }
    }

    private static Finding Pictures()
    {
        try
        {
            var picture = PictureFile.Decode(PictureFile.EncodePng(new Picture(2, 3)), "test");
            return picture.Width == 2 && picture.Height == 3
                ? new("pictures", Health.Good, "libvips writes and reads", null)
                : new("pictures", Health.Missing, "libvips does not read back what it wrote", "reinstall the package NetVips.Native of this platform");
        }
        catch (DataException failure)
        {
            return new("pictures", Health.Missing, failure.Message, "packages with libvips come with the program for Linux (x64, arm64), macOS and Windows (x64); elsewhere install libvips 8.15 or later");
        }
    }

    private static Finding BuiltInModel()
    {
        string[] names = [.. Models.Select(ModelOptions.ShapesName)];
        var folder = KnownFiles.PretrainedFolders.FirstOrDefault(folder => names.All(name => File.Exists(Path.Combine(folder, name))));
        return folder is not null
            ? new("built-in model", Health.Good, folder, null)
            : new("built-in model", Health.Optional, "not found", $"{string.Join(", ", names)} come with the sources, in pretrained/; run from a checkout, or put them into {KnownFiles.PretrainedFolders.First()}");
    }

    private static Finding ReleasedFiles()
    {
        string[][] names = [.. Models.Select(ModelOptions.ReleasedNames)];
        var folders = KnownFiles.PretrainedFolders.ToList();
        var missing = names.Where(any => !folders.Any(folder => any.Any(name => File.Exists(Path.Combine(folder, name))))).Select(any => any[0]).ToList();
        return missing.Count == 0
            ? new("released files", Health.Good, string.Join(", ", names.Select(any => any[0])), null)
            : new("released files", Health.Optional, $"no {string.Join(", ", missing)}", "`clipgen download` fetches them (2.3 GB); without them the built-in model makes coloured shapes");
    }

    private static Finding Vocabulary()
    {
        var path = KnownFiles.Vocabulary();
        return path is not null && File.Exists(path)
            ? new("vocabulary", Health.Good, path, null)
            : new("vocabulary", Health.Optional, path is null ? "CLIP's merges file not found" : $"{KnownFiles.VocabularyVariable} is {path}, which is not there", "the released CLIP needs bpe_simple_vocab_16e6.txt.gz: `clipgen download` fetches it; the built-in model has words of its own");
    }

    private static Finding Card()
    {
        var cards = CudaDevices.Find();
        return cards.Count > 0
            ? new("CUDA", Health.Good, string.Join("; ", cards.Select(card => string.Create(CultureInfo.InvariantCulture, $"cuda:{card.Index} {card.Name}, compute capability {card.Capability / 10.0:F1}, driver {card.Driver}"))), null)
            : new("CUDA", Health.Optional, $"no card: {CudaDevices.Absence}", "everything runs on the CPU; for `--device cuda` an NVIDIA card of compute capability 8.0 or later and its driver, but no toolkit");
    }

    private static Finding Assembler() => PtxAssembler.Path is { } path
        ? new("ptxas", Health.Good, path, null)
        : new("ptxas", Health.Optional, "not found", "only for `kernels stats` and the tests of kernels' registers: the CUDA toolkit (Debian: nvidia-cuda-toolkit), or CUDA_HOME");

    /// <summary>What was looked at, how it is, and what to do about it.</summary>
    private sealed record Finding(string What, Health Health, string Found, string? Remedy);
}
