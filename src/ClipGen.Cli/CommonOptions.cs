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
        Description = "Where to compute: cpu, cuda, cuda:N; auto is cpu",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<int> threads = new("--threads") { Description = "Threads to compute with; 0 for all processors" };

    private readonly Option<ulong> seed = new("--seed") { Description = "Seed of the random numbers" };

    private readonly Option<bool> quiet = new("--quiet") { Description = "No progress and no warnings" };

    /// <summary>Machine-readable results.</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "Results as JSON" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(device);
        command.Add(threads);
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
        foreach (var option in (Option[])[device, threads, seed, quiet])
            if (parsed.GetResult(option) is { Implicit: false } given)
                foreach (var word in (string[])[option.Name, .. given.Tokens.Select(token => token.Value)]) yield return word;
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
        switch (name)
        {
            // A card has to be asked for until the kernels have run on one (docs/cuda.md).
            case "auto" or "cpu":
                try
                {
                    return Device.Cpu(Threads(parsed));
                }
                catch (PlatformNotSupportedException missing)
                {
                    throw new JobException($"--device {name}: {missing.Message}; unset {SimdLevels.Variable} or choose another level");
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
