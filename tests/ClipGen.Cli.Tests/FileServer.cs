using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ClipGen.Cli.Tests;

/// <summary>What a request asked for.</summary>
/// <param name="Path">Path, with the slash.</param>
/// <param name="From">First byte of a range; null for the whole file.</param>
/// <param name="IfRange">Mark that the range is conditional on.</param>
internal sealed record FileRequest(string Path, long? From, string? IfRange);

/// <summary>A web server that does whatever a test wants, down to the bytes of its answers.</summary>
internal sealed class FileServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Func<FileRequest, FileAnswer> answer;

    public FileServer(Func<FileRequest, FileAnswer> answer)
    {
        this.answer = answer;
        listener.Start();
        _ = Task.Run(Accept);
    }

    /// <summary>Address of its root.</summary>
    public string Address => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";

    /// <summary>What was asked for so far.</summary>
    public ConcurrentQueue<FileRequest> Requests { get; } = new();

    public void Dispose() => listener.Dispose();

    private async Task Accept()
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = await listener.AcceptTcpClientAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            _ = Task.Run(() => Serve(client));
        }
    }

    private async Task Serve(TcpClient client)
    {
        using var owned = client;
        try
        {
            var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, false, 1024, leaveOpen: true);
            var path = (await reader.ReadLineAsync())!.Split(' ')[1];
            long? from = null;
            string? ifRange = null;
            for (string? line; (line = await reader.ReadLineAsync()) is { Length: > 0 };)
            {
                if (line.StartsWith("Range: bytes=", StringComparison.OrdinalIgnoreCase)) from = long.Parse(line["Range: bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture);
                if (line.StartsWith("If-Range: ", StringComparison.OrdinalIgnoreCase)) ifRange = line["If-Range: ".Length..];
            }
            var request = new FileRequest(path, from, ifRange);
            Requests.Enqueue(request);
            var reply = answer(request);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {reply.Status}\r\n{string.Concat(reply.Headers.Select(header => header + "\r\n"))}Connection: close\r\n\r\n"));
            await stream.WriteAsync(reply.Body);
            await stream.FlushAsync();
            if (reply.Silence > TimeSpan.Zero) await Task.Delay(reply.Silence);
            if (reply.IsCut) client.Client.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The other side has had enough.
        }
    }
}

/// <summary>An answer, byte by byte.</summary>
/// <param name="Status">Status line behind the version.</param>
/// <param name="Headers">Header lines.</param>
/// <param name="Body">What is sent, whatever the headers say.</param>
internal sealed record FileAnswer(string Status, string[] Headers, ReadOnlyMemory<byte> Body)
{
    /// <summary>Whether the connection is reset at the end, rather than closed.</summary>
    public bool IsCut { get; init; }

    /// <summary>How long the connection stays open without a word.</summary>
    public TimeSpan Silence { get; init; }

    /// <summary>What a well-behaved server says.</summary>
    public static FileAnswer Of(FileRequest request, byte[] content, string mark = "\"one\"") =>
        request.From is { } from && (request.IfRange is null || request.IfRange == mark)
            ? from >= content.Length
                ? new("416 Range Not Satisfiable", ["Content-Length: 0", $"Content-Range: bytes */{content.Length}"], default)
                : new("206 Partial Content", [$"ETag: {mark}", $"Content-Length: {content.Length - from}", $"Content-Range: bytes {from}-{content.Length - 1}/{content.Length}"], content.AsMemory((int)from))
            : new("200 OK", [$"ETag: {mark}", $"Content-Length: {content.Length}"], content);

    /// <summary>The same, ended after so many bytes of the body; with none, by a reset.</summary>
    public FileAnswer CutAfter(int bytes) => this with { Body = Body[..Math.Min(bytes, Body.Length)], IsCut = bytes == 0 };
}
