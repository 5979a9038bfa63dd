using System.IO.Compression;

namespace ClipGen.Checkpoints;

/// <summary>A deflated zip entry, inflated as it is read and never held whole: reading on is cheap, going back starts over.</summary>
internal sealed class InflatedBytes(CheckpointFile file, string name, long start, long compressedLength, long length) : ByteSource
{
    public override long Length => length;

    public string Name => name;

    public override void Read(long offset, Span<byte> destination) => file.Inflater.Read(this, offset, destination);

    public CheckpointException Broken(Exception? inner = null) =>
        file.Refuse($"entry '{name}' does not inflate to the {length:N0} bytes that the zip directory gives; the file is damaged, get it again", inner);

    public Stream OpenStream() => new DeflateStream(new CompressedStream(file, start, compressedLength), CompressionMode.Decompress);

    private sealed class CompressedStream(CheckpointFile file, long start, long length) : Stream
    {
        private long position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get => position; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(buffer.Length, length - position);
            file.Read(start + position, buffer[..count]);
            position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

/// <summary>The one open decoder of a file. A decoder per entry would cost 100 KB for each of a thousand storages.</summary>
internal sealed class InflateCursor : IDisposable
{
    private readonly Lock gate = new();
    private InflatedBytes? owner;
    private Stream? stream;
    private long position;

    public void Read(InflatedBytes source, long offset, Span<byte> destination)
    {
        lock (gate)
        {
            try
            {
                if (stream is null || owner != source || position > offset) Restart(source);
                Skip(offset - position);
                stream!.ReadExactly(destination);
                position += destination.Length;
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                Dispose();
                throw source.Broken(e);
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            stream?.Dispose();
            stream = null;
            owner = null;
        }
    }

    private void Restart(InflatedBytes source)
    {
        stream?.Dispose();
        stream = source.OpenStream();
        owner = source;
        position = 0;
    }

    private void Skip(long count)
    {
        Span<byte> waste = stackalloc byte[4096];
        while (count > 0)
        {
            var part = waste[..(int)Math.Min(count, waste.Length)];
            stream!.ReadExactly(part);
            position += part.Length;
            count -= part.Length;
        }
    }
}
