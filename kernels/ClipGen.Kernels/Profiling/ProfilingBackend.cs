using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ClipGen.Kernels;

/// <summary>
/// Tells the <see cref="Profiler"/> of the calling flow about every op, copy and packed weight. Each op is waited for, so that its time is its own; on a card that
/// takes away the overlap with the host, and what is repeated as a recording is asked for step by step.
/// </summary>
/// <param name="inner">What computes.</param>
/// <param name="ranges">Where ops are shown too, or null.</param>
public sealed class ProfilingBackend(IBackend inner, NvtxRanges? ranges = null) : WrappingBackend(inner)
{
    /// <inheritdoc/>
    public override string Name => Inner.Name;

    /// <inheritdoc/>
    public override void Upload<T>(ReadOnlySpan<T> source, View<T> destination)
    {
        var start = Stopwatch.GetTimestamp();
        base.Upload(source, destination);
        Moved("Upload", start, (double)source.Length * Unsafe.SizeOf<T>());
    }

    /// <inheritdoc/>
    public override void Download<T>(View<T> source, Span<T> destination)
    {
        var start = Stopwatch.GetTimestamp();
        base.Download(source, destination);
        Moved("Download", start, (double)destination.Length * Unsafe.SizeOf<T>());
    }

    /// <inheritdoc/>
    public override void Copy<T>(View<T> source, View<T> destination)
    {
        var start = Stopwatch.GetTimestamp();
        base.Copy(source, destination);
        Moved("Copy", start, 2.0 * source.Length * Unsafe.SizeOf<T>());
    }

    /// <inheritdoc/>
    public override void PackRows(ReadOnlySpan<float> rows, int firstRow, int rowCount, PackedMatrix destination)
    {
        var start = Stopwatch.GetTimestamp();
        base.PackRows(rows, firstRow, rowCount, destination);
        Moved("PackRows", start, (double)rowCount * destination.K * (sizeof(float) + destination.Type.ByteSize()));
    }

    /// <inheritdoc/>
    protected override void Around(OpWork work, Action<IBackend> call, params ReadOnlySpan<Written> outputs)
    {
        ranges?.Push(work.Op);
        var start = Stopwatch.GetTimestamp();
        try
        {
            call(Inner);
            Note(work, start);
        }
        finally
        {
            ranges?.Pop();
        }
    }

    private void Moved(string what, long start, double bytes) => Note(new OpWork(what, 0, bytes), start);

    /// <summary>Notes a call that has just come back.</summary>
    private void Note(OpWork work, long start)
    {
        long returned = Stopwatch.GetTimestamp(), end = returned;
        if (Inner.WorksLater)
        {
            Inner.Synchronize();
            end = Stopwatch.GetTimestamp();
        }
        Profiler.Note(work, start, returned, end, Inner.Memory.LiveBytes);
    }
}
