using System.Text.RegularExpressions;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>docs/cli.md</c>, <c>docs/parity.md</c> and <c>docs/training.md</c> say what is there.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] Common = ["--device", "--threads", "--variant", "--seed", "--quiet", "--json", "--help", "--version"];

    [Theory]
    [MemberData(nameof(HelpTests.Names), MemberType = typeof(HelpTests))]
    public async Task TablesListExactlyTheOptionsOfTheHelp(string command)
    {
        var text = File.ReadAllText(Path.Combine(RepositoryPaths.Root, "docs", "cli.md"));
        // The trainings share a section, and each has one of its own.
        string[] titles = command.StartsWith("train ", StringComparison.Ordinal) ? ["train", command] : [command];
        var sections = titles.Select(title => Regex.Match(text, $@"^## {title}\n(.*?)(?=^## |\z)", RegexOptions.Multiline | RegexOptions.Singleline)).ToArray();
        Assert.All(sections, section => Assert.True(section.Success, $"docs/cli.md lacks a section of '{command}'"));
        var documented = sections.SelectMany(section => section.Value.Split('\n')).Where(line => line.StartsWith("| `--", StringComparison.Ordinal)).SelectMany(line => OptionName().Matches(line.Split('|')[1])).Select(match => match.Value);
        var help = (await CliRun.Succeeds([.. command.Split(' '), "--help"])).OutputLines.SkipWhile(line => line != "Options:").Skip(1).TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal));
        var offered = help.Select(line => OptionName().Match(line).Value).Except(Common);
        Assert.Equal(offered.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TheHandbookListsEveryNote()
    {
        var page = File.ReadAllText(Path.Combine(RepositoryPaths.Root, "docs", "kernels.md"));
        var notes = Directory.GetDirectories(Path.Combine(RepositoryPaths.Root, "kernels", "ClipGen.Kernels")).Select(folder => Path.GetFileName(folder)).Where(op => File.Exists(Path.Combine(RepositoryPaths.Root, "kernels", "ClipGen.Kernels", op, $"{op}.md"))).ToList();
        Assert.True(notes.Count >= 18);
        Assert.All(notes, op => Assert.Contains($"(../kernels/ClipGen.Kernels/{op}/{op}.md)", page));
    }

    [Theory]
    [InlineData("parity.md")]
    [InlineData("training.md")]
    public void FilesThatAPageNamesAreThere(string page)
    {
        var text = File.ReadAllText(Path.Combine(RepositoryPaths.Root, "docs", page));
        var names = SourceName().Matches(text).Select(match => match.Groups[1].Value).Distinct().ToArray();
        Assert.True(names.Length >= 8);
        Assert.All(names, name => Assert.True(Path.Exists(Path.Combine(RepositoryPaths.Root, name)), $"docs/{page} names {name}, which is not there"));
    }

    [Fact]
    public void LinksLeadSomewhere()
    {
        var pages = Directory.GetFiles(Path.Combine(RepositoryPaths.Root, "docs"), "*.md", SearchOption.AllDirectories).Append(Path.Combine(RepositoryPaths.Root, "README.md")).Append(Path.Combine(RepositoryPaths.Root, "pretrained", "README.md"));
        var found = 0;
        foreach (var page in pages)
            foreach (Match link in Links().Matches(File.ReadAllText(page)))
            {
                var target = link.Groups[1].Value;
                if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith('#')) continue;
                Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, target.Split('#')[0])), $"{Path.GetRelativePath(RepositoryPaths.Root, page)} links to {target}, which is not there");
                found++;
            }
        Assert.True(found > 40, $"only {found} links");
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Links();

    [GeneratedRegex("--[a-z][a-z-]*")]
    private static partial Regex OptionName();

    [GeneratedRegex("`((?:src|kernels|docs|tests)/[^`]+)`")]
    private static partial Regex SourceName();
}
