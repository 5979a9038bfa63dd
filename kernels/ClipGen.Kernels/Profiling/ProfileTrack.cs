using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ClipGen.Kernels;

/// <summary>One thread's part of a profile: a tree of places with totals, and a list of events.</summary>
/// <remarks>Events are 32 bytes each, in large blocks outside the collector's heap: where ops take microseconds, a page fault for every few dozen of them would show.</remarks>
public sealed class ProfileTrack
{
    private readonly List<EventBlock> blocks = [];
    private readonly List<ProfileNode> places = [];
    private readonly List<OpWork> works = [];
    private readonly Dictionary<OpWork, int> workIndices = [];
    private int count;

    internal ProfileTrack(Profiler owner, int index)
    {
        Owner = owner;
        Index = index;
        Node = Root = NewNode("", null);
    }

    /// <summary>Number of the track; 0 is the one that began.</summary>
    public int Index { get; }

    /// <summary>The place that holds all others; its name is empty.</summary>
    public ProfileNode Root { get; }

    /// <summary>Events in the order in which they ended.</summary>
    public IEnumerable<ProfileEvent> Events => Enumerable.Range(0, count).Select(i =>
    {
        var stored = blocks[i / EventBlock.Size][i % EventBlock.Size];
        var work = stored.Work < 0 ? default : works[stored.Work];
        return new ProfileEvent(places[stored.Place], work.Op, stored.Start, stored.End, work, stored.LiveBytes);
    });

    internal Profiler Owner { get; }

    /// <summary>Where the thread is.</summary>
    internal ProfileNode Node { get; private set; }

    internal ProfileNode NewNode(string name, ProfileNode? parent)
    {
        var node = new ProfileNode(this, places.Count, name, parent);
        places.Add(node);
        return node;
    }

    /// <summary>Number of a kind of work; there are as many as ops with different shapes.</summary>
    internal int IndexOf(OpWork work)
    {
        ref var index = ref CollectionsMarshal.GetValueRefOrAddDefault(workIndices, work, out var known);
        if (known) return index;
        index = works.Count;
        works.Add(work);
        return index;
    }

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
        if (Owner.Keeps()) Append(new StoredEvent(left.Index, -1, start, end, 0));
    }

    internal void Note(OpWork work, long start, long returned, long end, long liveBytes)
    {
        var index = Node.Add(work, returned - start, end - start);
        if (Owner.Keeps()) Append(new StoredEvent(Node.Index, index, start, end, liveBytes));
    }

    private void Append(in StoredEvent happened)
    {
        if (count == blocks.Count * EventBlock.Size) blocks.Add(Owner.TakeBlock());
        blocks[count / EventBlock.Size][count % EventBlock.Size] = happened;
        count++;
    }
}

/// <summary>An event as it is kept.</summary>
/// <param name="Place">Number of the place in its track.</param>
/// <param name="Work">Number of the op's kind of work there; -1 where a place was left.</param>
/// <param name="Start">As in <see cref="ProfileEvent"/>.</param>
/// <param name="End">As in <see cref="ProfileEvent"/>.</param>
/// <param name="LiveBytes">As in <see cref="ProfileEvent"/>.</param>
internal readonly record struct StoredEvent(int Place, int Work, long Start, long End, long LiveBytes);

/// <summary>Memory for many events.</summary>
internal sealed unsafe class EventBlock
{
    /// <summary>Events of a block: 8 MiB, the least that lies on large pages.</summary>
    public const int Size = 1 << 18;

    private readonly StoredEvent* events = (StoredEvent*)LargePages.Allocate(Size * (nuint)sizeof(StoredEvent));

    ~EventBlock() => NativeMemory.AlignedFree(events);

    public StoredEvent this[int index]
    {
        get
        {
            var stored = events[index];
            GC.KeepAlive(this);
            return stored;
        }
        set
        {
            events[index] = value;
            GC.KeepAlive(this);
        }
    }

    /// <summary>Writes to the memory of the first events, so that its page faults are over.</summary>
    public void Touch(int count)
    {
        new Span<StoredEvent>(events, count).Clear();
        GC.KeepAlive(this);
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

    // A module enters with the same string each time; its reference is hashed sooner than its letters. And one is mostly followed by the same that followed it the last time.
    private readonly Dictionary<string, ProfileNode> childrenSeen = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, OpTotal> opsSeen = new(ReferenceEqualityComparer.Instance);
    private ProfileNode? recentChild, next;
    private OpTotal? recentOp;

    private readonly ProfileTrack track;

    internal ProfileNode(ProfileTrack track, int index, string name, ProfileNode? parent) => (this.track, Index, Name, Parent) = (track, index, name, parent);

    /// <summary>Number among the track's places.</summary>
    internal int Index { get; }

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
        if (recentChild?.next is { } expected && ReferenceEquals(expected.Name, name)) return recentChild = expected;
        var child = Find(name);
        if (recentChild is not null) recentChild.next = child;
        return recentChild = child;
    }

    private ProfileNode Find(string name)
    {
        if (childrenSeen.TryGetValue(name, out var child)) return child;
        if (!children.TryGetValue(name, out child)) children.Add(name, child = track.NewNode(name, this));
        // Names that are made anew for each call would fill it without use.
        if (childrenSeen.Count < MostSeen) childrenSeen.Add(name, child);
        return child;
    }

    internal void Add(long ticks)
    {
        Calls++;
        Ticks += ticks;
    }

    /// <summary>Adds a call; returns the number of its kind of work.</summary>
    internal int Add(OpWork work, long callTicks, long ticks)
    {
        var total = recentOp?.Next is { } expected && ReferenceEquals(expected.Op, work.Op) ? expected : Find(work);
        if (recentOp is not null) recentOp.Next = total;
        recentOp = total;
        total.Add(work, callTicks, ticks);
        // From one place an op is called with the same shapes again and again.
        if (total.Calls == 1 || total.LastWork != work) (total.LastWork, total.LastIndex) = (work, track.IndexOf(work));
        return total.LastIndex;
    }

    private OpTotal Find(OpWork work)
    {
        if (opsSeen.TryGetValue(work.Op, out var total)) return total;
        if (!ops.TryGetValue(work.Op, out total)) ops.Add(work.Op, total = new OpTotal(work.Op));
        if (opsSeen.Count < MostSeen) opsSeen.Add(work.Op, total);
        return total;
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

    /// <summary>The work of the last call, and its number.</summary>
    internal OpWork LastWork { get; set; }

    internal int LastIndex { get; set; }

    /// <summary>The op that followed this one the last time.</summary>
    internal OpTotal? Next { get; set; }

    internal void Add(OpWork work, long callTicks, long ticks)
    {
        Calls++;
        CallTicks += callTicks;
        Ticks += ticks;
        Flops += work.Flops;
        Bytes += work.Bytes;
    }
}
