using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace ClipGen.Cli.Download;

/// <summary>
/// Fetches a file over HTTP. Bytes go to a sibling <c>NAME.part</c>, which stays when the program is stopped or killed, and is gone on with (range requests, RFC 9110 section 14) if the server still has the
/// same file. The name appears when all bytes are there and are those that were expected.
/// </summary>
internal sealed class Downloader : IDisposable
{
    /// <summary>Largest file that is fetched where its size is not known.</summary>
    public const long LargestUnknown = 16L << 30;

    private const int AttemptsWithoutProgress = 4;
    private readonly TimeSpan patience, pause;
    private readonly HttpClient client;

    /// <summary>A downloader.</summary>
    /// <param name="patience">How long the server may say nothing.</param>
    /// <param name="pause">Pause before the second attempt; it doubles with each further one.</param>
    public Downloader(TimeSpan patience, TimeSpan pause)
    {
        (this.patience, this.pause) = (patience, pause);
        client = new HttpClient(new SocketsHttpHandler { MaxAutomaticRedirections = 8, ConnectTimeout = patience, AutomaticDecompression = DecompressionMethods.None }) { Timeout = patience };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("clipgen", null));
    }

    /// <summary>Whether an address is one that is fetched from.</summary>
    public static bool IsWeb(Uri address) => address.Scheme is "http" or "https";

    /// <summary>Fetches a file.</summary>
    /// <param name="file">What is expected.</param>
    /// <param name="address">Where from.</param>
    /// <param name="path">Where to.</param>
    /// <param name="problemOf">What is wrong with a file that arrived, before it gets its name; null if nothing is.</param>
    /// <param name="progress">Told how many bytes are there, and of how many (0: not known).</param>
    /// <param name="warn">Told of each interruption.</param>
    /// <param name="cancellation">Stops; what is there stays for the next time.</param>
    /// <returns>Its SHA-256.</returns>
    /// <exception cref="JobException">It can't be had, or is not what was expected; the message has the address.</exception>
    public string Fetch(PublishedFile file, Uri address, string path, Func<string, string?> problemOf, Action<long, long> progress, Action<string> warn, CancellationToken cancellation)
    {
        var partPath = path + ".part";
        try
        {
            using (var part = Open(partPath))
            {
                var state = PartState.Load(partPath, address);
                if (state is null) part.SetLength(0);
                var furthest = part.Length;
                for (var attempt = 1; ; attempt++)
                {
                    try
                    {
                        Attempt(file, address, part, partPath, ref state, progress, cancellation);
                        break;
                    }
                    catch (Interruption cut)
                    {
                        if (part.Length > furthest) (attempt, furthest) = (1, part.Length);
                        if (attempt >= AttemptsWithoutProgress) throw new JobException($"{address}: {cut.Message} ({attempt} times without a byte more; {part.Length:N0} bytes are kept, the same command goes on from there)");
                        warn($"{address}: {cut.Message}; going on from byte {part.Length:N0}");
                        if (cancellation.WaitHandle.WaitOne(pause * Math.Pow(2, attempt - 1))) cancellation.ThrowIfCancellationRequested();
                    }
                }
                part.Flush(flushToDisk: true);
            }
            var (length, found) = Hash(partPath, cancellation);
            if (file.Size is { } size && size != length) throw Spoiled(partPath, $"{address}: has {length:N0} bytes, {file.Name} has {size:N0}");
            if (file.Sha256 is { } expected && expected != found) throw Spoiled(partPath, $"{address}: its SHA-256 is {found}, that of {file.Name} is {expected}; this is another file, or it was damaged on the way");
            if (problemOf(partPath) is { } problem) throw Spoiled(partPath, $"{address}: what the server sent is not {file.Name}: {problem}");
            File.Move(partPath, path, overwrite: true);
            PartState.Remove(partPath);
            return found;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JobException($"{partPath}: can't be written: {e.Message}");
        }
    }

    /// <summary>Length and SHA-256 of a file.</summary>
    public static (long Length, string Sha256) Hash(string path, CancellationToken cancellation)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        try
        {
            var length = 0L;
            for (int read; (read = stream.Read(buffer)) > 0; length += read)
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
            }
            return (length, Convert.ToHexStringLower(hash.GetHashAndReset()));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    /// <summary>One request, from where the part ends. Returns when all bytes are there.</summary>
    private void Attempt(PublishedFile file, Uri address, FileStream part, string partPath, ref PartState? state, Action<long, long> progress, CancellationToken cancellation)
    {
        // Without a mark of the server's, or a hash to be checked against at the end, the rest of another file could be joined to this one.
        if (state is { Mark: "" } && file.Sha256 is null) part.SetLength(0);
        part.Position = part.Length;
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (part.Length > 0)
        {
            request.Headers.Range = new RangeHeaderValue(part.Length, null);
            if (state is { Mark: not "" }) request.Headers.TryAddWithoutValidation("If-Range", state.Mark);
        }
        using var response = Send(request, cancellation);
        var total = 0L;
        switch (response.StatusCode)
        {
            case HttpStatusCode.PartialContent when part.Length > 0:
                if (response.Content.Headers.ContentRange is not { Unit: "bytes", From: { } from } range || from != part.Length)
                {
                    part.SetLength(0);
                    throw new Interruption($"the server sent another part than was asked for ({response.Content.Headers.ContentRange})");
                }
                total = range.Length ?? 0;
                break;
            case HttpStatusCode.OK:
                // The whole file, whether asked for or because it has changed.
                part.SetLength(0);
                total = response.Content.Headers.ContentLength ?? 0;
                break;
            case HttpStatusCode.RequestedRangeNotSatisfiable when part.Length > 0:
                if (response.Content.Headers.ContentRange?.Length == part.Length) return;
                part.SetLength(0);
                throw new Interruption("the part that is here is longer than the server's file");
            case HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError:
                throw new Interruption($"the server answers {(int)response.StatusCode} {response.ReasonPhrase}");
            default:
                throw new JobException($"{address}: the server answers {(int)response.StatusCode} {response.ReasonPhrase}; is {file.Name} published elsewhere now? --mirror gives another place");
        }
        if (response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml")
            throw new JobException($"{address}: the server sends a web page and not {file.Name}; open the address in a browser to see why, or give another place with --mirror");
        if (file.Size is { } known && total > 0 && total != known)
            throw new JobException($"{address}: the server's file has {total:N0} bytes, {file.Name} has {known:N0}; this is another file, or only a part of it");
        if (total > LargestUnknown) throw new JobException($"{address}: the server announces {total:N0} bytes, more than {LargestUnknown:N0} are not fetched");
        RequireSpace(partPath, (file.Size ?? total) - part.Length);
        state = new PartState(address, MarkOf(response));
        state.Save(partPath);
        var most = file.Size ?? (total > 0 ? total : LargestUnknown);
        Copy(response, part, most, length => progress(length, file.Size ?? total), cancellation);
        if (total > 0 && part.Length < total) throw new Interruption($"the connection ended after {part.Length:N0} of {total:N0} bytes");
    }

    private HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            return client.Send(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new Interruption($"the server did not answer within {patience.TotalSeconds:N0} s");
        }
        catch (HttpRequestException e)
        {
            throw new Interruption($"the server can't be reached: {(e.InnerException ?? e).Message}");
        }
    }

    private void Copy(HttpResponseMessage response, FileStream part, long most, Action<long> progress, CancellationToken cancellation)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 17);
        try
        {
            using var stream = response.Content.ReadAsStream(cancellation);
            while (true)
            {
                int read;
                try
                {
                    waiting.CancelAfter(patience);
                    read = stream.ReadAsync(buffer, waiting.Token).AsTask().GetAwaiter().GetResult();
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    throw new Interruption($"the server fell silent for {patience.TotalSeconds:N0} s");
                }
                catch (Exception e) when (e is IOException or HttpRequestException)
                {
                    throw new Interruption($"the connection broke: {e.Message}");
                }
                if (read == 0) return;
                if (part.Length + read > most) throw new JobException($"{response.RequestMessage!.RequestUri}: the server sends more than {most:N0} bytes; this is another file");
                part.Write(buffer, 0, read);
                progress(part.Length);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // What a range request can be made conditional on: a strong entity tag, or a date.
    private static string MarkOf(HttpResponseMessage response) =>
        response.Headers.ETag is { IsWeak: false } tag ? tag.ToString() : response.Content.Headers.LastModified is { } date ? date.ToString("R", System.Globalization.CultureInfo.InvariantCulture) : "";

    private static void RequireSpace(string path, long bytes)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var free = new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(folder)! : folder).AvailableFreeSpace;
        if (bytes > free) throw new JobException($"{folder}: has {free:N0} bytes free, {bytes:N0} are needed; make room, or give another folder with --to");
    }

    private static FileStream Open(string partPath)
    {
        try
        {
            return new FileStream(partPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
        }
        catch (IOException) when (File.Exists(partPath))
        {
            throw new JobException($"{partPath}: is in use; another download of the file seems to be running");
        }
    }

    private static JobException Spoiled(string partPath, string message)
    {
        File.Delete(partPath);
        PartState.Remove(partPath);
        return new JobException(message);
    }

    /// <summary>Something that another attempt may get over.</summary>
    private sealed class Interruption(string message) : Exception(message);

    /// <summary>Where a part came from, beside it: the address and the server's mark of the file, a line each.</summary>
    private sealed record PartState(Uri Address, string Mark)
    {
        public static PartState? Load(string partPath, Uri address)
        {
            var path = PathOf(partPath);
            if (!File.Exists(path) || new FileInfo(path).Length > 1 << 16) return null;
            var lines = File.ReadAllLines(path);
            return lines.Length == 2 && lines[0] == address.AbsoluteUri ? new PartState(address, lines[1]) : null;
        }

        public void Save(string partPath) => File.WriteAllText(PathOf(partPath), $"{Address.AbsoluteUri}\n{Mark}\n", Encoding.UTF8);

        public static void Remove(string partPath) => File.Delete(PathOf(partPath));

        private static string PathOf(string partPath) => partPath + ".from";
    }
}
