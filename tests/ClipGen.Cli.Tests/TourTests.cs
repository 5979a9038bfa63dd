using System.Text.RegularExpressions;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary>The guided tour can be walked: every command of every chapter runs as printed, and every source that a chapter names is there.</summary>
public sealed partial class TourTests
{
    private static readonly string Folder = Path.Combine(RepositoryPaths.Root, "docs", "tour");

    public static TheoryData<string> Chapters => [.. Directory.GetFiles(Folder, "*.md").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Chapters))]
    public async Task CommandsRunAsPrinted(string chapter)
    {
        using var folder = new TemporaryFolder();
        var commands = Commands().Matches(File.ReadAllText(Path.Combine(Folder, chapter))).SelectMany(block => block.Groups[1].Value.Split('\n')).Where(line => line.StartsWith("clipgen ", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(commands);
        foreach (var command in commands)
        {
            // Paths of the checkout are found from wherever the tests run; what is written goes to a folder of its own.
            var words = Words().Matches(command).Select(match => match.Value.Trim('"')).Skip(1).Select(word => word.StartsWith("output/", StringComparison.Ordinal) ? Path.Combine(folder.Path, word[7..].Replace('/', '-'))
                : word.StartsWith("pretrained/", StringComparison.Ordinal) || word.StartsWith("tests/", StringComparison.Ordinal) ? Path.Combine(RepositoryPaths.Root, word) : word).ToArray();
            // A file inside the folder that an earlier command wrote.
            words = [.. words.Select(word => word.StartsWith(folder.Path, StringComparison.Ordinal) && word.EndsWith("-latest.pt", StringComparison.Ordinal) ? string.Concat(word.AsSpan(0, word.Length - "-latest.pt".Length), "/latest.pt") : word)];
            var run = await CliRun.Of(words);
            Assert.True(run.ExitCode == 0, $"{command}\n{run.Error}");
            Assert.DoesNotContain("warning", run.Error);
        }
    }

    [Fact]
    public void SourcesThatChaptersNameAreThere()
    {
        var names = Directory.GetFiles(Folder, "*.md").SelectMany(path => Sources().Matches(File.ReadAllText(path)).Select(match => match.Groups[1].Value)).Distinct().ToArray();
        Assert.True(names.Length > 20);
        Assert.All(names, name => Assert.True(Path.Exists(Path.Combine(RepositoryPaths.Root, name)), $"{name} is not there"));
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Commands();

    [GeneratedRegex("\"[^\"]*\"|\\S+")]
    private static partial Regex Words();

    [GeneratedRegex("`((?:src|kernels|tests)/[^`]+)`")]
    private static partial Regex Sources();
}
