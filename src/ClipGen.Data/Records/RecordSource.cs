using Microsoft.Win32.SafeHandles;

namespace ClipGen.Data.Records;

/// <summary>An open file of records, read at given offsets by any number of threads.</summary>
internal sealed class RecordSource : IDisposable
{
    private readonly SafeFileHandle handle;

    private RecordSource(string path, SafeFileHandle handle) => (Path, this.handle, Length) = (path, handle, RandomAccess.GetLength(handle));

    public string Path { get; }

    public long Length { get; }

    /// <exception cref="DataException">It is missing or may not be read.</exception>
    public static RecordSource Open(string path)
    {
        try
        {
            var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            try
            {
                return new RecordSource(path, handle);
            }
            catch
            {
                handle.Dispose();
                throw;
            }
        }
        catch (FileNotFoundException e)
        {
            throw new DataException($"{path}: there is no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new DataException($"{path}: cannot read the file: {e.Message}", e);
        }
    }

    /// <summary>Fills a span.</summary>
    /// <exception cref="DataException">The file ends before, or the disk fails.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            while (destination.Length > 0)
            {
                var count = RandomAccess.Read(handle, destination, offset);
                if (count == 0) throw Refuse($"the file ends at byte {offset:N0}, before its data does; it was truncated");
                offset += count;
                destination = destination[count..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refuse($"cannot read at byte {offset:N0}: {e.Message}", e);
        }
    }

    /// <summary>A stretch as an array.</summary>
    public byte[] Read(long offset, long length)
    {
        var bytes = new byte[length];
        Read(offset, bytes);
        return bytes;
    }

    public DataException Refuse(string complaint, Exception? inner = null) => new($"{Path}: {complaint}", inner);

    public void Dispose() => handle.Dispose();
}
