using System.Diagnostics;
using System.Runtime.InteropServices;
using ClipGen.Data;

namespace ClipGen.Cli.Tests;

/// <summary>The built program as a process of its own: streams, exit codes, signals.</summary>
public sealed partial class ProcessTests(SmallModels models)
{
    private const int Interrupt = 2, Terminate = 15;

    [Fact]
    public async Task ResultsAndProgressHaveTheirOwnStreams()
    {
        using var folder = new TemporaryFolder();
        using var process = Start("generate", "--text", "one", "--out", folder["out.png"], "--model", models.Folder, "--vocab", models.Vocabulary, "--candidates", "2");
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
        Assert.EndsWith($"{folder["out.png"]}\n", await output);
        Assert.StartsWith("text: ", await error);
        Assert.Equal("one", PictureFile.ReadMetadata(folder["out.png"])["prompt"]);
        Assert.Equal(["out.png"], folder.Names);
    }

    [Theory]
    [InlineData(1, "inspect", "no_such_file.pt")]
    [InlineData(2, "generate")]
    [InlineData(2, "nonsense")]
    public async Task FailuresAreOneLineWithAnExitCode(int code, params string[] args)
    {
        using var process = Start(args);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(code, process.ExitCode);
        Assert.Equal("", await output);
        Assert.Single((await error).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task SignalsStopCleanly(int signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "signals are sent with kill(2)");
        using var folder = new TemporaryFolder();
        // Far more work than a test has time for.
        using var process = Start("generate", "--text", "one", "--out", folder["out.png"], "--model", models.Folder, "--vocab", models.Vocabulary, "--candidates", "1000000", "--save-each", folder["each"]);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        // The first stage is told when the second begins: from then on there is work to interrupt.
        Assert.StartsWith("text: ", await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, Kill(process.Id, signal));
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(CommandLine.Interrupted, process.ExitCode);
        Assert.Equal("", await output);
        Assert.Equal("clipgen generate: stopped", (await error).TrimEnd().Split('\n')[^1]);
        Assert.Empty(folder.Names);
    }

    [Fact]
    public async Task TheVocabularyCanComeFromTheEnvironment()
    {
        using var process = Start(info => info.Environment["CLIPGEN_VOCAB"] = models.Vocabulary, "tokenize", "one");
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("<start_of_text>(49406) ", await output);
    }

    [Fact]
    public async Task AnUnknownInstructionSetIsRefused()
    {
        using var failing = Start(info => info.Environment["CLIPGEN_SIMD"] = "no such set", "bench", "gemm:8x8x8");
        var error = failing.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await failing.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await failing.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, failing.ExitCode);
        Assert.Contains("CLIPGEN_SIMD", Assert.Single((await error).Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    private static Process Start(params string[] args) => Start(_ => { }, args);

    private static Process Start(Action<ProcessStartInfo> configure, params string[] args)
    {
        var info = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "clipgen.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        configure(info);
        return Process.Start(info)!;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
