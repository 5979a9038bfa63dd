using Microsoft.Win32.SafeHandles;

namespace ClipGen.Checkpoints;

/// <summary>An open file that is read at given offsets, by any number of threads; all its errors are <see cref="CheckpointException"/>s.</summary>
internal sealed class CheckpointFile : IPickledFile, IDisposable
{
    private readonly SafeFileHandle handle;

    private CheckpointFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        this.handle = handle;
        Length = length;
    }

    public string Path { get; }

    public long Length { get; }

    public SafeFileHandle Handle => handle;

    /// <summary>Decoder that the deflated entries of this file take turns with.</summary>
    public InflateCursor Inflater { get; } = new();

    public static CheckpointFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            if (Directory.Exists(path)) throw new CheckpointException(path, "this is a folder; give the path of a checkpoint file inside it");
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            return new CheckpointFile(path, handle, RandomAccess.GetLength(handle));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            handle?.Dispose();
            var what = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "no such file; check the path, or download it first",
                UnauthorizedAccessException => "the file may not be read; check its permissions",
                NotSupportedException => "not a regular file; copy its content into one",
                ArgumentException => "not a usable path; give the path of a checkpoint file",
                _ => $"can't be opened ({e.Message}); check the path and the disk",
            };
            throw new CheckpointException(path, what, e);
        }
    }

    /// <summary>Fills <paramref name="destination"/> from an offset.</summary>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            while (destination.Length > 0)
            {
                var count = RandomAccess.Read(handle, destination, offset);
                if (count == 0) throw Refuse($"the file ends at byte {offset:N0}, before its data does; it was truncated, get it again");
                offset += count;
                destination = destination[count..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refuse($"can't be read at byte {offset:N0} ({e.Message}); check the disk", e);
        }
    }

    public CheckpointException Refuse(string message, Exception? inner = null) => new(Path, message, inner);

    public void Dispose()
    {
        Inflater.Dispose();
        handle.Dispose();
    }
}
