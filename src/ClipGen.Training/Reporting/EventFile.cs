using System.Buffers.Binary;
using System.Globalization;
using ClipGen.Files;

namespace ClipGen.Training.Reporting;

/// <summary>
/// A TensorBoard event file: scalars and pictures over steps, appended as records
/// <c>length (u64) · masked CRC-32C of the length · message · masked CRC-32C of the message</c>, little-endian.
/// Readers skip a record that was cut off, and merge all files of a folder by step: a run that is resumed opens a new file beside the old one.
/// </summary>
public sealed class EventFile : IDisposable
{
    private static int opened;
    private readonly TimeProvider time;
    private readonly FileStream stream;

    /// <summary>Creates <c>events.out.tfevents.SECONDS.HOST.PID.N</c> in a folder, which is created where missing, with its first record.</summary>
    /// <param name="folder">The folder that TensorBoard is pointed at.</param>
    /// <param name="time">Clock of the records; the system's by default.</param>
    /// <exception cref="RunFolderException">The file can't be created.</exception>
    public EventFile(string folder, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        this.time = time ?? TimeProvider.System;
        (stream, Path) = Create(folder, this.time.GetUtcNow().ToUnixTimeSeconds());
        Append(EventMessage.Version(WallTime));
        Flush();
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    private double WallTime => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    /// <summary>Appends a number; it is kept as a float.</summary>
    /// <param name="tag">Name of the curve; a slash groups: <c>train/loss</c>.</param>
    /// <param name="step">Step, not negative.</param>
    /// <param name="value">The number; NaN and infinities are kept.</param>
    /// <exception cref="RunFolderException">The file can't be written.</exception>
    public void AddScalar(string tag, long step, double value)
    {
        Check(tag, step);
        Append(EventMessage.Scalar(WallTime, step, tag, (float)value));
    }

    /// <summary>Appends a picture.</summary>
    /// <param name="tag">Name of the picture, for example <c>val/img-recon</c>.</param>
    /// <param name="step">Step, not negative.</param>
    /// <param name="png">A PNG file's bytes.</param>
    /// <exception cref="ArgumentException">The bytes are not a PNG file.</exception>
    /// <exception cref="RunFolderException">The file can't be written.</exception>
    public void AddImage(string tag, long step, byte[] png)
    {
        Check(tag, step);
        ArgumentNullException.ThrowIfNull(png);
        Append(EventMessage.Image(WallTime, step, tag, PngHeader.Read(png), png));
    }

    /// <summary>Hands everything so far to the system, so that a reader sees it.</summary>
    /// <exception cref="RunFolderException">The file can't be written.</exception>
    public void Flush() => Guarded(stream.Flush);

    /// <summary>Flushes and closes.</summary>
    public void Dispose() => Guarded(stream.Dispose);

    private static (FileStream Stream, string Path) Create(string folder, long seconds)
    {
        try
        {
            Directory.CreateDirectory(folder);
            while (true)
            {
                var number = Interlocked.Increment(ref opened) - 1;
                var name = string.Create(CultureInfo.InvariantCulture, $"events.out.tfevents.{seconds:D10}.{Environment.MachineName}.{Environment.ProcessId}.{number}");
                var path = System.IO.Path.Combine(folder, name);
                // In a container every start may have the same host and process number.
                if (!File.Exists(path)) return (new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite, 1 << 16), path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RunFolderException.Unwritable(folder, $"{e.Message.TrimEnd('.')}; choose another --out or change its permissions", e);
        }
    }

    private static void Check(string tag, long step)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        ArgumentOutOfRangeException.ThrowIfNegative(step);
    }

    private void Append(byte[] message)
    {
        var record = new byte[message.Length + 16];
        BinaryPrimitives.WriteInt64LittleEndian(record, message.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc.Of(record.AsSpan(0, 8)));
        message.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + message.Length), MaskedCrc.Of(message));
        Guarded(() => stream.Write(record));
    }

    private void Guarded(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException || AtomicFile.IsTooLong(e))
        {
            throw RunFolderException.Unwritable(Path, $"{e.Message.TrimEnd('.')}; check the free space", e);
        }
    }
}
