using System.IO.MemoryMappedFiles;

namespace ClipGen.Checkpoints;

/// <summary>Bytes of a storage or a pickle, wherever they are. Reads may come from several threads.</summary>
internal abstract class ByteSource
{
    public abstract long Length { get; }

    /// <summary>Fills <paramref name="destination"/>; the caller stays within <see cref="Length"/>.</summary>
    public abstract void Read(long offset, Span<byte> destination);
}

/// <summary>A range of a file, read in place.</summary>
internal sealed class FileBytes(CheckpointFile file, long start, long length) : ByteSource
{
    public override long Length => length;

    public override void Read(long offset, Span<byte> destination) => file.Read(start + offset, destination);

    /// <summary>Maps a part of the range, for scattered access that would need a system call per element otherwise.</summary>
    public MappedBytes Map(long offset, long count) => new(file, start + offset, count);
}

/// <summary>Bytes in memory.</summary>
internal sealed class MemoryBytes(byte[] bytes) : ByteSource
{
    public override long Length => bytes.Length;

    public override void Read(long offset, Span<byte> destination) => bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
}

/// <summary>A mapped part of a file; gone after disposal.</summary>
internal sealed unsafe class MappedBytes : IDisposable
{
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;

    public MappedBytes(CheckpointFile file, long start, long count)
    {
        MemoryMappedFile? opened = null;
        MemoryMappedViewAccessor? accessor = null;
        try
        {
            opened = MemoryMappedFile.CreateFromFile(file.Handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            accessor = opened.CreateViewAccessor(start, count, MemoryMappedFileAccess.Read);
            byte* pointer = null;
            accessor.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            Pointer = pointer + accessor.PointerOffset;
            map = opened;
            view = accessor;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            accessor?.Dispose();
            opened?.Dispose();
            throw file.Refuse($"can't be mapped at byte {start:N0} ({e.Message}); was it changed while it was open?", e);
        }
    }

    public byte* Pointer { get; }

    public void Dispose()
    {
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        map.Dispose();
    }
}
