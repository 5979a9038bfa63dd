using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;

namespace ClipGen.Cli.Tests;

/// <summary><c>download</c>, from servers that behave and servers that don't.</summary>
public sealed class DownloadTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly byte[] content = new byte[300_000];

    public DownloadTests() => new Random(1).NextBytes(content);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task WhatIsAsExpectedArrives()
    {
        using var server = new FileServer(request => FileAnswer.Of(request, content));
        var run = await Download(server, Hash(content), "--json");
        using var json = JsonDocument.Parse(run.Output);
        var file = Assert.Single(json.RootElement.GetProperty("files").EnumerateArray());
        Assert.Equal((folder["to/a.bin"], content.Length, Hash(content)), (file.GetProperty("file").GetString(), file.GetProperty("bytes").GetInt32(), file.GetProperty("sha256").GetString()));
        Assert.True(file.GetProperty("fetched").GetBoolean());
        Assert.False(file.GetProperty("recorded").GetBoolean());
        RequireOnly(content);
        // The second time there is nothing to do.
        Assert.Contains("was there already", (await Download(server, Hash(content))).Output);
        Assert.Single(server.Requests);
        Assert.DoesNotContain("was there already", (await Download(server, Hash(content), "--force")).Output);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task ConnectionsThatBreakAreGoneOnWith()
    {
        using var server = new FileServer(request => FileAnswer.Of(request, content).CutAfter(70_000));
        var run = await Download(server, Hash(content));
        RequireOnly(content);
        Assert.True(run.ErrorLines.Count(line => line.StartsWith("warning: http://", StringComparison.Ordinal) && line.Contains("going on from byte")) >= 4, run.Error);
        var starts = server.Requests.Select(request => request.From ?? 0).ToArray();
        Assert.Equal(starts.Order(), starts);
        Assert.All(server.Requests.Skip(1), request => Assert.Equal("\"one\"", request.IfRange));
    }

    [Fact]
    public async Task AFileThatChangesMeanwhileIsFetchedAnew()
    {
        var other = content.Reverse().ToArray();
        var first = true;
        using var server = new FileServer(request =>
        {
            if (!first) return FileAnswer.Of(request, other, "\"two\"");
            first = false;
            return FileAnswer.Of(request, content).CutAfter(100_000);
        });
        await Download(server, Hash(other));
        RequireOnly(other);
    }

    [Fact]
    public async Task WithoutAMarkOrAHashNothingIsJoined()
    {
        var first = true;
        using var server = new FileServer(request =>
        {
            var answer = FileAnswer.Of(request, content) with { Headers = [$"Content-Length: {content.Length}"] };
            if (!first) return answer;
            first = false;
            return answer.CutAfter(100_000);
        });
        await Download(server, null);
        RequireOnly(content, withList: true);
        Assert.All(server.Requests, request => Assert.Null(request.From));
    }

    [Fact]
    public async Task ServersWithoutRangesStartAgain()
    {
        var count = 0;
        using var server = new FileServer(request =>
        {
            var answer = FileAnswer.Of(request with { From = null }, content);
            return ++count < 3 ? answer.CutAfter(100_000) : answer;
        });
        await Download(server, Hash(content));
        RequireOnly(content);
    }

    [Fact]
    public async Task RedirectionsAreFollowed()
    {
        using var target = new FileServer(request => FileAnswer.Of(request, content));
        using var server = new FileServer(request => new FileAnswer("302 Found", [$"Location: {target.Address}/elsewhere", "Content-Length: 0"], default));
        await Download(server, Hash(content));
        RequireOnly(content);
        Assert.Equal("/elsewhere", Assert.Single(target.Requests).Path);
    }

    [Fact]
    public async Task WhatIsUnknownIsRecordedAndComparedFromThenOn()
    {
        var sent = content;
        using var server = new FileServer(request => FileAnswer.Of(request, sent));
        var run = await Download(server, null);
        Assert.Contains("recorded now", run.Output);
        Assert.Contains(run.ErrorLines, line => line.Contains("no SHA-256 is known"));
        RequireOnly(content, withList: true);
        var list = JsonDocument.Parse(File.ReadAllText(folder["to/manifest.json"])).RootElement.GetProperty("files")[0];
        Assert.Equal((content.Length, Hash(content)), (list.GetProperty("size").GetInt32(), list.GetProperty("sha256").GetString()));
        Assert.Equal("for people", list.GetProperty("model").GetString());
        // Another file of the same length is no longer taken for it.
        sent = [.. content.Reverse()];
        var line = await CliRun.Fails(1, "SHA-256", "download", "--to", folder["to"], "--force");
        Assert.Contains(Hash(content), line);
        Assert.Equal(content, File.ReadAllBytes(folder["to/a.bin"]));
    }

    [Theory]
    [InlineData("hash", "its SHA-256 is")]
    [InlineData("short", "has 1,000 bytes, a.bin has 300,000")]
    [InlineData("page", "web page")]
    [InlineData("missing", "404")]
    [InlineData("more", "more than 300,000 bytes")]
    [InlineData("announced", "announces")]
    public async Task WhatIsNotExpectedIsRefused(string kind, string complaint)
    {
        using var server = new FileServer(request => kind switch
        {
            "hash" => FileAnswer.Of(request, [.. content.Reverse()]),
            "short" => FileAnswer.Of(request, content[..1000]),
            "page" => FileAnswer.Of(request, "<html>please log in</html>"u8.ToArray()) with { Headers = ["Content-Type: text/html; charset=utf-8", "Content-Length: 26"] },
            "missing" => new FileAnswer("404 Not Found", ["Content-Length: 0"], default),
            // Without a length, all that comes until the connection ends is the file.
            "more" => new FileAnswer("200 OK", [], (byte[])[.. content, 1]),
            _ => new FileAnswer("200 OK", [$"Content-Length: {1L << 60}"], content),
        });
        var size = kind == "announced" ? (long?)null : content.Length;
        WriteList(server, kind == "announced" ? null : Hash(content), size);
        await CliRun.Fails(1, complaint, "download", "--manifest", folder["list.json"], "--to", folder["to"], "--quiet");
        Assert.False(File.Exists(folder["to/a.bin"]));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("lie")]
    [InlineData("silent")]
    [InlineData("busy")]
    [InlineData("other part")]
    public async Task WhoNeverGetsOnGivesUp(string kind)
    {
        using var server = new FileServer(request => kind switch
        {
            "cut" => FileAnswer.Of(request, content).CutAfter(0),
            // Announces more than it ever sends.
            "lie" => FileAnswer.Of(request, content) with { Body = content.AsMemory(0, 500), Headers = ["Content-Length: 300000"], Status = "200 OK" },
            "silent" => FileAnswer.Of(request, content) with { Body = default, Silence = TimeSpan.FromSeconds(20) },
            "busy" => new FileAnswer("503 Service Unavailable", ["Content-Length: 0"], default),
            _ => request.From is null
                ? FileAnswer.Of(request, content).CutAfter(1000)
                : new FileAnswer("206 Partial Content", ["ETag: \"one\"", "Content-Length: 10", "Content-Range: bytes 5-14/300000"], content.AsMemory(5, 10)),
        });
        WriteList(server, Hash(content), content.Length);
        await CliRun.Fails(1, "times without a byte more", "download", "--manifest", folder["list.json"], "--to", folder["to"], "--quiet", "--timeout", "1");
        Assert.False(File.Exists(folder["to/a.bin"]));
        Assert.InRange(server.Requests.Count, 4, 8);
    }

    [Fact]
    public async Task CheckpointsAreOpenedBeforeTheyGetTheirName()
    {
        using var server = new FileServer(request => FileAnswer.Of(request, content));
        WriteList(server, null, null, "model.pt");
        await CliRun.Fails(1, "is not model.pt", "download", "--manifest", folder["list.json"], "--to", folder["to"], "--quiet");
        Assert.Empty(Directory.EnumerateFiles(folder["to"]));
    }

    [Fact]
    public async Task AKilledDownloadGoesOn()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the first part is held open there while it is looked at");
        using var server = new FileServer(request =>
        {
            var answer = FileAnswer.Of(request, content);
            return request.From is null ? answer with { Body = answer.Body[..200_000], Silence = TimeSpan.FromMinutes(1) } : answer;
        });
        WriteList(server, Hash(content), content.Length);
        string[] args = ["download", "--manifest", folder["list.json"], "--to", folder["to"], "--quiet"];
        using (var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "clipgen.dll"), .. args]))!)
        {
            var part = new FileInfo(folder["to/a.bin.part"]);
            var clock = Stopwatch.StartNew();
            while (!(part.Exists && part.Length == 200_000) && clock.Elapsed < TimeSpan.FromSeconds(60))
            {
                await Task.Delay(20, TestContext.Current.CancellationToken);
                part.Refresh();
            }
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        await CliRun.Succeeds(args);
        RequireOnly(content);
        Assert.Equal([null, 200_000L], server.Requests.Select(request => request.From));
    }

    [Theory]
    [InlineData("{\"files\":[{\"name\":\"../a\",\"source\":\"https://example.org/a\"}]}", "plain file name")]
    [InlineData("{\"files\":[{\"name\":\"manifest.json\",\"source\":\"https://example.org/a\"}]}", "name of the list itself")]
    [InlineData("{\"files\":[{\"name\":\"a\",\"source\":\"file:///etc/passwd\"}]}", "http or https")]
    [InlineData("{\"files\":[{\"name\":\"a\",\"source\":\"https://example.org/a\",\"sha256\":\"12\"}]}", "64 hex digits")]
    [InlineData("{\"files\":[{\"name\":\"a\",\"source\":\"https://example.org/a\",\"size\":-1}]}", "size of -1")]
    [InlineData("{\"files\":[]}", "lists no file")]
    [InlineData("{}", "\"files\"")]
    [InlineData("[]", "not a list of files")]
    [InlineData("<html>", "not a list of files")]
    [InlineData("{\"files\":[{\"name\":\"a\",\"source\":\"https://example.org/a\",\"size\":\"big\"}]}", "not a list of files")]
    [InlineData("{\"files\":[{\"name\":\"a\",\"source\":\"https://example.org/a\"},{\"name\":\"a\",\"source\":\"https://example.org/b\"}]}", "a twice")]
    public async Task ListsAreCheckedBeforeAnythingIsFetched(string list, string complaint)
    {
        File.WriteAllText(folder["list.json"], list);
        await CliRun.Fails(1, complaint, "download", "--manifest", folder["list.json"], "--to", folder["to"]);
        Assert.Equal(["list.json"], folder.Names);
    }

    [Theory]
    [InlineData("SET", "imagenet")]
    [InlineData("--mirror", "coco", "--mirror", "ftp://example.org")]
    [InlineData("--timeout", "--timeout", "0")]
    public async Task OptionsAreChecked(string culprit, params string[] options) => await CliRun.Fails(2, culprit, ["download", .. options, "--to", folder["to"]]);

    [Fact]
    public async Task TheProgramKnowsTheReleasedFiles()
    {
        using var server = new FileServer(request => new FileAnswer("404 Not Found", ["Content-Length: 0"], default));
        await CliRun.Fails(1, $"{server.Address}/sub/clip_vit_b32.pt", "download", "--mirror", $"{server.Address}/sub/", "--to", folder["to"], "--quiet");
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private async Task<CliRun> Download(FileServer server, string? sha256, params string[] options)
    {
        WriteList(server, sha256, sha256 is null ? null : content.Length);
        return await CliRun.Succeeds(["download", "--manifest", folder["list.json"], "--to", folder["to"], .. options]);
    }

    private void WriteList(FileServer server, string? sha256, long? size, string name = "a.bin") =>
        File.WriteAllText(folder["list.json"], JsonSerializer.Serialize(new { files = new[] { new { name, model = "for people", source = $"{server.Address}/{name}", size, sha256 } } }));

    /// <summary>Nothing but the file is left, nor anything but its content in it.</summary>
    private void RequireOnly(byte[] expected, bool withList = false)
    {
        Assert.Equal(withList ? ["a.bin", "manifest.json"] : ["a.bin"], Directory.EnumerateFiles(folder["to"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(expected, File.ReadAllBytes(folder["to/a.bin"]));
    }
}
