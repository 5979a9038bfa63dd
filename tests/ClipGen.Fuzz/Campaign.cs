using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace ClipGen.Fuzz;

/// <summary>What came of a campaign.</summary>
internal sealed record CampaignResult(long Inputs, long Read, long Refused, int Findings);

/// <summary>
/// One parser under fire. What it says steers: an input that draws an answer never heard before is damaged further, so that damage adds up and reaches what lies behind the first checks.
/// An answer is a refusal's message without its numbers and names.
/// </summary>
internal sealed partial class Campaign(Target target, int seed, string findingsFolder)
{
    private const long MostMemory = 64 << 20;

    // As many inputs are damaged further at most, and only while they are small: names in messages would otherwise make new answers without end.
    private const int MostKept = 1000, LargestKept = 1 << 16;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>Reads damaged files.</summary>
    public CampaignResult Run(long inputs, Action<string> tell)
    {
        var random = new Random(seed);
        var folder = Directory.CreateTempSubdirectory("clipgen-fuzz-");
        long read = 0, refused = 0, mostMemory = 0;
        var slowest = TimeSpan.Zero;
        var findings = 0;
        List<byte[]> damaged = [.. target.Seeds];
        HashSet<string> answers = [];
        try
        {
            var path = Path.Combine(folder.FullName, "input");
            for (var i = 0L; i < inputs; i++)
            {
                // Half of the inputs start from sound files.
                var from = random.Next(2) == 0 ? target.Seeds : damaged;
                var input = Mutator.Of(random, from[random.Next(from.Count)], damaged[random.Next(damaged.Count)]);
                var bytes = target.Wrap([.. input]);
                // File systems flush a file that is cut to nothing and written again.
                File.Delete(path);
                File.WriteAllBytes(path, bytes);
                var memory = GC.GetAllocatedBytesForCurrentThread();
                var clock = Stopwatch.StartNew();
                string? finding = null;
                var answer = "";
                try
                {
                    target.Read(path);
                    read++;
                }
                catch (Exception e) when (target.IsRefusal(e))
                {
                    refused++;
                    answer = e.Message;
                    if (e.Message.Contains('\n') || !e.Message.Contains(path, StringComparison.Ordinal)) finding = $"a message that is not one line with the file's name: {e.Message}";
                }
                catch (Exception e)
                {
                    finding = $"{e}";
                }
                var taken = clock.Elapsed;
                memory = GC.GetAllocatedBytesForCurrentThread() - memory;
                if (answers.Count < MostKept && answers.Add(Particulars().Replace(answer.Replace(path, ""), "")) && input.Length <= LargestKept) damaged.Add(input);
                if (taken > slowest) slowest = taken;
                mostMemory = Math.Max(mostMemory, memory);
                // A machine that is busy with other things takes its time: what is slow is tried once more.
                if (taken > Longest && Again(path) > Longest) finding ??= $"it took {taken.TotalSeconds:F1} s";
                if (memory > MostMemory + bytes.LongLength) finding ??= $"it asked for {memory:N0} bytes";
                if (folder.EnumerateFileSystemInfos().Any(entry => entry.Name is not ("input" or "input.ffr"))) finding ??= "it wrote files";
                if (finding is null) continue;
                findings++;
                Keep(bytes, i, finding, tell);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        tell(string.Create(CultureInfo.InvariantCulture, $"{target.Name,-12}{target.Seeds.Count,6}{inputs,12:N0}{read,12:N0}{refused,12:N0}{answers.Count,9:N0}{slowest.TotalMilliseconds,7:F0} ms{mostMemory / 1048576.0,11:F1} MiB{findings,10}"));
        return new CampaignResult(inputs, read, refused, findings);
    }

    private TimeSpan Again(string path)
    {
        var clock = Stopwatch.StartNew();
        try
        {
            target.Read(path);
        }
        catch (Exception e) when (target.IsRefusal(e))
        {
        }
        return clock.Elapsed;
    }

    private void Keep(byte[] bytes, long number, string finding, Action<string> tell)
    {
        Directory.CreateDirectory(findingsFolder);
        var path = Path.Combine(findingsFolder, $"{target.Name}-{seed}-{number}");
        File.WriteAllBytes(path, bytes);
        tell($"FINDING {path}: {finding}");
    }

    // Quoted names, numbers and all that is no letter.
    [GeneratedRegex("'[^']*'?|\"[^\"]*\"?|[^a-zA-Z]+")]
    private static partial Regex Particulars();
}
