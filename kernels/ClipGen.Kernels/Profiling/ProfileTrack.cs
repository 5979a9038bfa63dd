using System.Diagnostics;

namespace ClipGen.Kernels;

/// <summary>One thread's part of a profile: a tree of places with totals, and a list of events.</summary>
public sealed class ProfileTrack
{
    private const int ChunkSize = 1 << 14;
    private readonly List<ProfileEvent[]> chunks = [];
    private int count;

    internal ProfileTrack(Profiler owner, int index)
    {
        Owner = owner;
        Index = index;
        Node = Root = new ProfileNode("", null);
    }

    /// <summary>Number of the track; 0 is the one that began.</summary>
    public int Index { get; }

    /// <summary>The place that holds all others; its name is empty.</summary>
    public ProfileNode Root { get; }

    /// <summary>Events in the order in which they ended.</summary>
    public IEnumerable<ProfileEvent> Events => Enumerable.Range(0, count).Select(i => chunks[i / ChunkSize][i % ChunkSize]);

    internal Profiler Owner { get; }

    /// <summary>Where the thread is.</summary>
    internal ProfileNode Node { get; private set; }

    internal long Enter(string name)
    {
        Owner.Ranges?.Push(name);
        Node = Node.Child(name);
        return Stopwatch.GetTimestamp();
    }

    internal void Leave(long start)
    {
        var end = Stopwatch.GetTimestamp();
        var left = Node;
        left.Add(end - start);
        Node = left.Parent ?? left;
        Owner.Ranges?.Pop();
        if (Owner.Keeps()) Append(new ProfileEvent(left, null, start, end, default, 0));
    }

    internal void Note(OpWork work, long start, long returned, long end, long liveBytes)
    {
        Node.Add(work, returned - start, end - start);
        if (Owner.Keeps()) Append(new ProfileEvent(Node, work.Op, start, end, work, liveBytes));
    }

    private void Append(ProfileEvent happened)
    {
        if (count % ChunkSize == 0) chunks.Add(new ProfileEvent[ChunkSize]);
        chunks[^1][count++ % ChunkSize] = happened;
    }
}

/// <summary>A module or phase that was left, or an op that was done.</summary>
/// <param name="Place">The place that was left, or that the op was called from.</param>
/// <param name="Op">The op's name; null for a place.</param>
/// <param name="Start">When it began, in ticks of <see cref="Stopwatch"/>.</param>
/// <param name="End">When it ended.</param>
/// <param name="Work">What the op had to do.</param>
/// <param name="LiveBytes">Device memory in use when the op was done.</param>
public readonly record struct ProfileEvent(ProfileNode Place, string? Op, long Start, long End, OpWork Work, long LiveBytes);

/// <summary>A place: a module or phase inside others, with what was spent in it.</summary>
public sealed class ProfileNode
{
    private const int MostSeen = 1024;
    private readonly Dictionary<string, ProfileNode> children = [];
    private readonly Dictionary<string, OpTotal> ops = [];

    // A module enters with the same string each time; its reference is hashed sooner than its letters.
    private readonly Dictionary<string, ProfileNode> childrenSeen = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, OpTotal> opsSeen = new(ReferenceEqualityComparer.Instance);

    internal ProfileNode(string name, ProfileNode? parent) => (Name, Parent) = (name, parent);

    /// <summary>What was entered.</summary>
    public string Name { get; }

    /// <summary>The place around it.</summary>
    public ProfileNode? Parent { get; }

    /// <summary>Places inside it, in the order of their first entry.</summary>
    public IReadOnlyCollection<ProfileNode> Children => children.Values;

    /// <summary>This place and all places inside it, each before those inside it.</summary>
    public IEnumerable<ProfileNode> All => Children.SelectMany(child => child.All).Prepend(this);

    /// <summary>Ops that were called from here, not from a place inside.</summary>
    public IReadOnlyCollection<OpTotal> Ops => ops.Values;

    /// <summary>How often it was entered and left.</summary>
    public long Calls { get; private set; }

    /// <summary>Ticks between entering and leaving, all calls.</summary>
    public long Ticks { get; private set; }

    /// <summary>Ticks inside it that belong to no op and to no place inside: the host's own.</summary>
    public long HostTicks => Math.Max(0, Ticks - children.Values.Sum(child => child.Ticks) - ops.Values.Sum(op => op.Ticks));

    internal ProfileNode Child(string name)
    {
        if (childrenSeen.TryGetValue(name, out var child)) return child;
        if (!children.TryGetValue(name, out child)) children.Add(name, child = new ProfileNode(name, this));
        // Names that are made anew for each call would fill it without use.
        if (childrenSeen.Count < MostSeen) childrenSeen.Add(name, child);
        return child;
    }

    internal void Add(long ticks)
    {
        Calls++;
        Ticks += ticks;
    }

    internal void Add(OpWork work, long callTicks, long ticks)
    {
        if (!opsSeen.TryGetValue(work.Op, out var total))
        {
            if (!ops.TryGetValue(work.Op, out total)) ops.Add(work.Op, total = new OpTotal(work.Op));
            if (opsSeen.Count < MostSeen) opsSeen.Add(work.Op, total);
        }
        total.Add(work, callTicks, ticks);
    }
}

/// <summary>What all calls of one op from one place cost.</summary>
public sealed class OpTotal(string op)
{
    /// <summary>Name of the op.</summary>
    public string Op => op;

    /// <summary>How often it was called.</summary>
    public long Calls { get; private set; }

    /// <summary>Ticks until the work was done.</summary>
    public long Ticks { get; private set; }

    /// <summary>Ticks until the call came back.</summary>
    public long CallTicks { get; private set; }

    /// <summary>Floating-point operations.</summary>
    public double Flops { get; private set; }

    /// <summary>Least bytes moved.</summary>
    public double Bytes { get; private set; }

    internal void Add(OpWork work, long callTicks, long ticks)
    {
        Calls++;
        CallTicks += callTicks;
        Ticks += ticks;
        Flops += work.Flops;
        Bytes += work.Bytes;
    }
}
