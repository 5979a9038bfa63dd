using System.Text.Json;
using ClipGen.Testing;

namespace ClipGen.Cli.Tests;

/// <summary><c>tokenize</c>. What the ids have to be needs CLIP's own vocabulary.</summary>
public sealed class TokenizeTests(SmallModels models)
{
    private const string NoVocabulary = "set CLIPGEN_VOCAB to OpenAI CLIP's bpe_simple_vocab_16e6.txt.gz to run this test";

    [Fact]
    public async Task IdsOfTheReference()
    {
        Assert.SkipWhen(RepositoryPaths.Vocabulary is null, NoVocabulary);
        using var golden = JsonDocument.Parse(File.ReadAllText(RepositoryPaths.GoldenFile("tokenizer", "tokens.json")));
        var cases = golden.RootElement.GetProperty("cases").EnumerateArray().ToArray();
        var texts = cases.Select(one => one.GetProperty("text").GetString()!).ToArray();
        // "--" so that a text may begin with a hyphen.
        var run = await CliRun.Succeeds(["tokenize", "--vocab", RepositoryPaths.Vocabulary!, "--parity", "--json", "--quiet", "--", .. texts]);
        var rows = JsonSerializer.Deserialize<int[][]>(run.Output)!;
        Assert.Equal(texts.Length, rows.Length);
        for (var n = 0; n < rows.Length; n++)
        {
            Assert.Equal(77, rows[n].Length);
            var ids = cases[n].GetProperty("ids").Deserialize<int[]>()!;
            Assert.True(rows[n].SequenceEqual(ids.Concat(new int[77 - ids.Length])), $"text {n}: {string.Join(' ', rows[n])}");
        }
    }

    [Fact]
    public async Task ReadableTokens()
    {
        Assert.SkipWhen(RepositoryPaths.Vocabulary is null, NoVocabulary);
        var run = await CliRun.Succeeds("tokenize", "A red apple", "blorptastic", "--vocab", RepositoryPaths.Vocabulary!);
        Assert.Equal("<start_of_text>(49406) a(320) red(736) apple(3055) <end_of_text>(49407)", run.OutputLines[0]);
        Assert.Matches(@"^<start_of_text>\(49406\) (\S+-\(\d+\) )+\S+\(\d+\) <end_of_text>\(49407\)$", run.OutputLines[1]);
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task TooLongTexts()
    {
        var text = string.Join(' ', Enumerable.Repeat("w", 80)) + " zebra";
        var usual = await CliRun.Succeeds("tokenize", text, "--vocab", models.Vocabulary, "--json");
        Assert.Contains("zebra", Assert.Single(usual.ErrorLines));
        Assert.Equal(49407, JsonSerializer.Deserialize<int[][]>(usual.Output)![0][76]);
        var parity = await CliRun.Succeeds("tokenize", text, "--vocab", models.Vocabulary, "--json", "--parity");
        Assert.DoesNotContain(49407, JsonSerializer.Deserialize<int[][]>(parity.Output)![0]);
        Assert.Contains("end token", Assert.Single(parity.ErrorLines));
    }

    [Fact]
    public async Task ControlCharactersDoNotReachTheTerminal()
    {
        var run = await CliRun.Succeeds("tokenize", "a\u001B[2Jb", "--vocab", models.Vocabulary);
        Assert.DoesNotContain('\u001B', run.Output);
    }
}
