using System.CommandLine;
using ClipGen.Cli.Profiling;
using ClipGen.Kernels;
using ClipGen.Tensors;

namespace ClipGen.Cli;

/// <summary>Options that every command takes.</summary>
public sealed class CommonOptions
{
    private readonly Option<string> device = new("--device")
    {
        Description = "Where to compute: cpu, cuda, cuda:N; auto is the first card, or cpu where there is none",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<int> threads = new("--threads") { Description = "Threads to compute with; 0 for all processors" };

    private readonly Option<string[]> variant = new("--variant")
    {
        Description = $"Form of a CPU kernel to use where there are several, OP=NAME: {string.Join(", ", KernelVariants.All.Select(each => each.Choice))}; by default what measured fastest for a shape",
    };

    private readonly Option<ulong> seed = new("--seed") { Description = "Seed of the random numbers" };

    private readonly Option<bool> quiet = new("--quiet") { Description = "No progress and no warnings" };

    /// <summary>Machine-readable results.</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "Results as JSON" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(device);
        command.Add(threads);
        command.Add(variant);
        command.Add(seed);
        command.Add(quiet);
        command.Add(Json);
    }

    /// <summary>The seed.</summary>
    public ulong Seed(ParseResult parsed) => parsed.GetValue(seed);

    /// <summary>Whether to keep silent but for results and failures.</summary>
    public bool Quiet(ParseResult parsed) => parsed.GetValue(quiet);

    /// <summary>Whether results are wanted as JSON.</summary>
    public bool IsJson(ParseResult parsed) => parsed.GetValue(Json);

    /// <summary>The threads that were asked for; 0 for all.</summary>
    /// <exception cref="UsageException">Negative or absurd.</exception>
    public int Threads(ParseResult parsed)
    {
        var count = parsed.GetValue(threads);
        return count is >= 0 and <= 1024 ? count : throw new UsageException($"--threads {count}: must be between 0 (all processors) and 1024");
    }

    /// <summary>The options that were given, all but <c>--json</c>, as words for another command.</summary>
    public IEnumerable<string> Given(ParseResult parsed)
    {
        foreach (var option in (Option[])[device, threads, variant, seed, quiet])
            if (parsed.GetResult(option) is { Implicit: false } given)
            {
                // An option that was given several times has a name for each value.
                if (given.Tokens.Count == 0) yield return option.Name;
                foreach (var token in given.Tokens)
                {
                    yield return option.Name;
                    yield return token.Value;
                }
            }
    }

    /// <summary>Whether the CPU is to compute.</summary>
    public bool IsCpu(ParseResult parsed) => parsed.GetValue(device) is "cpu" || parsed.GetValue(device) is "auto" && (VariantTexts(parsed).Count > 0 || CudaDevices.First is null);

    /// <summary>The forms of CPU kernels that were asked for, as they were given.</summary>
    public IReadOnlyList<string> VariantTexts(ParseResult parsed) => parsed.GetValue(variant) ?? [];

    /// <summary>The forms of CPU kernels that were asked for.</summary>
    /// <exception cref="UsageException">There is no such form, or no CPU to use it on.</exception>
    public KernelVariants Variants(ParseResult parsed)
    {
        var choices = VariantTexts(parsed);
        if (choices.Count > 0 && !IsCpu(parsed)) throw new UsageException($"--variant {choices[0]}: belongs to the CPU's kernels, not to --device {parsed.GetValue(device)}");
        try
        {
            return KernelVariants.Parse(choices);
        }
        catch (FormatException unknown)
        {
            throw new UsageException($"--variant: {unknown.Message}");
        }
    }

    private static Device Card(string name, int index)
    {
        try
        {
            return Device.Cuda(index);
        }
        catch (CudaDeviceException missing)
        {
            throw new JobException($"--device {name}: {missing.Message}");
        }
    }

    /// <summary>Opens the device; it records what it does where a profile is being made.</summary>
    /// <exception cref="UsageException">An unknown device.</exception>
    /// <exception cref="JobException">A device this build or machine does not have.</exception>
    public Device OpenDevice(ParseResult parsed) => ProfileSession.Open(Opened(parsed), Threads(parsed));

    private Device Opened(ParseResult parsed)
    {
        var name = parsed.GetValue(device)!;
        var variants = Variants(parsed);
        switch (name)
        {
            case "auto" when !IsCpu(parsed):
                return Card(name, CudaDevices.First!.Index);
            case "auto" or "cpu":
                try
                {
                    return Device.Cpu(Threads(parsed), variants);
                }
                catch (PlatformNotSupportedException missing)
                {
                    throw new JobException($"--device {name}: {missing.Message}; leave {SimdLevels.Variable} and --variant Simd away, or choose another level");
                }
            case "cuda":
                return Card(name, 0);
            case "cuda-emulated":
                return Device.CudaEmulated();
            default:
                if (name.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var index)) return Card(name, index);
                throw new UsageException($"--device {name}: expected auto, cpu, cuda or cuda:N");
        }
    }
}

/// <summary>The command was used wrongly: exit code 2.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <summary>The job can't be done: exit code 1.</summary>
public sealed class JobException(string message) : Exception(message);
