using System.Diagnostics;

namespace ClipGen.Kernels;

/// <summary>
/// Records where the time of a job goes: every op that passes a <see cref="ProfilingBackend"/>, under the modules and phases that were entered with <see cref="Enter"/>. While no profiler
/// is at work, entering costs one read of a field.
/// </summary>
/// <remarks>
/// Totals are kept per place, a place being a chain of names such as <c>codes / gpt / blocks.3 / blocks.3.encoder.linear1</c>, so that they stay small however long the job. The
/// single events of the timeline are kept up to a limit; what comes after is counted. Each thread has a track of its own and writes without locks.
/// </remarks>
public sealed class Profiler
{
    private static readonly AsyncLocal<Profiler?> ambient = new();
    private static int working;

    [ThreadStatic]
    private static ProfileTrack? current;

    private readonly List<ProfileTrack> tracks = [];
    private readonly Stack<EventBlock> reserved = [];
    private readonly int mostEvents;
    private int events;
    private long dropped;

    /// <summary>A profiler that is not at work yet.</summary>
    /// <param name="mostEvents">Events kept for the timeline; there is memory for so many from the start, 32 bytes each.</param>
    /// <param name="ranges">Where places and ops are shown too, or null.</param>
    public Profiler(int mostEvents = 1_000_000, NvtxRanges? ranges = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mostEvents);
        (this.mostEvents, Ranges) = (mostEvents, ranges);
    }

    /// <summary>The profiler of this flow of control, or null.</summary>
    public static Profiler? Current => Volatile.Read(ref working) == 0 ? null : ambient.Value;

    /// <summary>Name of the place this thread is in, for work that is done later on its behalf; null while nothing is profiled.</summary>
    public static string? Place => Volatile.Read(ref working) == 0 ? null : Track()?.Node.Name;

    /// <summary>Ticks of <see cref="Stopwatch"/> in seconds.</summary>
    public static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    /// <summary>Where places and ops are shown too, or null.</summary>
    public NvtxRanges? Ranges { get; }

    /// <summary>When the job began, in ticks of <see cref="Stopwatch"/>.</summary>
    public long Started { get; private set; }

    /// <summary>When it ended.</summary>
    public long Ended { get; private set; }

    /// <summary>Events beyond the limit, which only the totals know.</summary>
    public long DroppedEvents => dropped;

    /// <summary>What each thread did; the thread that began the job comes first.</summary>
    public IReadOnlyList<ProfileTrack> Tracks => tracks;

    /// <summary>Profiles what this flow of control does, threads that it starts included, until the result is disposed.</summary>
    public IDisposable Start() => new Work(this);

    /// <summary>Enters a module or a phase; leave it by disposing the result, on the same thread.</summary>
    public static ProfileSpan Enter(string name) => Volatile.Read(ref working) == 0 || Track() is not { } track ? default : new ProfileSpan(track, track.Enter(name));

    /// <summary>Notes an op of the calling thread.</summary>
    /// <param name="work">What it had to do.</param>
    /// <param name="start">When it was called.</param>
    /// <param name="returned">When the call came back, which on a card is before the work is done.</param>
    /// <param name="end">When the work was done.</param>
    /// <param name="liveBytes">Device memory in use then.</param>
    internal static void Note(OpWork work, long start, long returned, long end, long liveBytes)
    {
        if (Volatile.Read(ref working) != 0 && Track() is { } track) track.Note(work, start, returned, end, liveBytes);
    }

    /// <summary>Whether one more event may be kept; counts it either way.</summary>
    internal bool Keeps()
    {
        if (Interlocked.Increment(ref events) <= mostEvents) return true;
        Interlocked.Increment(ref dropped);
        return false;
    }

    /// <summary>Memory for a track's next events.</summary>
    internal EventBlock TakeBlock()
    {
        lock (tracks) return reserved.TryPop(out var block) ? block : new EventBlock();
    }

    // Page faults during the job would count as its time.
    private void Reserve()
    {
        for (var begin = 0; begin < mostEvents; begin += EventBlock.Size)
        {
            var block = new EventBlock();
            block.Touch(Math.Min(EventBlock.Size, mostEvents - begin));
            reserved.Push(block);
        }
    }

    private static ProfileTrack? Track()
    {
        if (ambient.Value is not { } profiler) return null;
        if (current is { } track && track.Owner == profiler) return track;
        lock (profiler.tracks) profiler.tracks.Add(current = new ProfileTrack(profiler, profiler.tracks.Count));
        return current;
    }

    private sealed class Work : IDisposable
    {
        private readonly Profiler profiler;
        private readonly Profiler? outer = ambient.Value;

        public Work(Profiler profiler)
        {
            if (profiler.Started != 0) throw new InvalidOperationException("a profiler records one job");
            this.profiler = profiler;
            ambient.Value = profiler;
            profiler.Reserve();
            Interlocked.Increment(ref working);
            profiler.Started = Stopwatch.GetTimestamp();
        }

        public void Dispose()
        {
            if (profiler.Ended != 0) return;
            profiler.Ended = Stopwatch.GetTimestamp();
            Interlocked.Decrement(ref working);
            ambient.Value = outer;
        }
    }
}

/// <summary>A module or phase that was entered. The default value stands for nothing, which is what it is while nothing is profiled.</summary>
public readonly struct ProfileSpan : IDisposable
{
    private readonly ProfileTrack? track;
    private readonly long start;

    internal ProfileSpan(ProfileTrack track, long start) => (this.track, this.start) = (track, start);

    /// <summary>Leaves it.</summary>
    public void Dispose() => track?.Leave(start);
}
