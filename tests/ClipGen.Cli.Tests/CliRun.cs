namespace ClipGen.Cli.Tests;

/// <summary>One run of the command line inside the test's process.</summary>
/// <param name="ExitCode">What a shell would see.</param>
/// <param name="Output">All of the standard output.</param>
/// <param name="Error">All of the standard error.</param>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    public string[] OutputLines => Lines(Output);

    public string[] ErrorLines => Lines(Error);

    public static async Task<CliRun> Of(params string[] args)
    {
        using StringWriter output = new(), error = new();
        var code = await CommandLine.RunAsync(args, output, error);
        return new CliRun(code, output.ToString(), error.ToString());
    }

    /// <summary>A run that must succeed.</summary>
    public static async Task<CliRun> Succeeds(params string[] args)
    {
        var run = await Of(args);
        Assert.True(run.ExitCode == 0, $"exit code {run.ExitCode}: {run.Error}");
        return run;
    }

    /// <summary>A run that must fail with that code and exactly one line that names <paramref name="culprit"/>, without any result.</summary>
    public static async Task<string> Fails(int code, string culprit, params string[] args)
    {
        var run = await Of(args);
        Assert.True(run.ExitCode == code, $"exit code {run.ExitCode}, expected {code}: {run.Error}");
        Assert.Equal("", run.Output);
        var line = Assert.Single(run.ErrorLines);
        Assert.Contains(culprit, line);
        Assert.DoesNotContain("unexpected failure", line);
        Assert.DoesNotContain("   at ", line);
        Assert.DoesNotContain(line, c => char.IsControl(c));
        return line;
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
