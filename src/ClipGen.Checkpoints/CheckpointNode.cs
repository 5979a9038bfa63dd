using System.Globalization;
using System.Numerics;

namespace ClipGen.Checkpoints;

/// <summary>What a node of a checkpoint's object tree is.</summary>
public enum NodeKind
{
    /// <summary>Keys and values, in order. Module objects of TorchScript are dicts of their attributes.</summary>
    Dict,

    /// <summary>A list.</summary>
    List,

    /// <summary>A tuple, <c>torch.Size</c> included.</summary>
    Tuple,

    /// <summary>A set, in the order of the file.</summary>
    Set,

    /// <summary>A tensor.</summary>
    Tensor,

    /// <summary>An integer of any size.</summary>
    Int,

    /// <summary>A double.</summary>
    Float,

    /// <summary>True or false.</summary>
    Bool,

    /// <summary>Text; also <c>torch.device</c> and <c>torch.dtype</c> values, by their names.</summary>
    String,

    /// <summary>Raw bytes.</summary>
    Bytes,

    /// <summary>Python's <c>None</c>.</summary>
    None,
}

/// <summary>A node of the object tree that a checkpoint holds.</summary>
public sealed class CheckpointNode
{
    private readonly object? payload;
    private Dictionary<object, CheckpointNode>? index;

    private CheckpointNode(NodeKind kind, object? payload, string? className = null)
    {
        Kind = kind;
        this.payload = payload;
        ClassName = className;
    }

    internal static readonly CheckpointNode None = new(NodeKind.None, null);
    internal static readonly CheckpointNode True = new(NodeKind.Bool, true);
    internal static readonly CheckpointNode False = new(NodeKind.Bool, false);
    internal static readonly CheckpointNode EmptyTuple = new(NodeKind.Tuple, Array.Empty<CheckpointNode>());

    /// <summary>What it is.</summary>
    public NodeKind Kind { get; }

    /// <summary>Python class of a dict that is not a plain one: <c>collections.OrderedDict</c>, or a TorchScript module's class.</summary>
    public string? ClassName { get; }

    /// <summary>Entries of a dict, in order.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public IReadOnlyList<KeyValuePair<CheckpointNode, CheckpointNode>> Entries => Require<List<KeyValuePair<CheckpointNode, CheckpointNode>>>(NodeKind.Dict);

    /// <summary>Members of a list, tuple or set.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public IReadOnlyList<CheckpointNode> Items =>
        Kind is NodeKind.List or NodeKind.Tuple or NodeKind.Set ? (IReadOnlyList<CheckpointNode>)payload! : throw Not("a list, tuple or set");

    /// <summary>The tensor of a tensor node; if it is reachable under several names, this carries the first.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public CheckpointTensor Tensor => Kind == NodeKind.Tensor ? NamedTensor! : throw Not("a tensor");

    /// <summary>Value of an integer.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public BigInteger Int => Require<BigInteger>(NodeKind.Int);

    /// <summary>Value of a float.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public double Float => Require<double>(NodeKind.Float);

    /// <summary>Value of a Boolean.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public bool Bool => Require<bool>(NodeKind.Bool);

    /// <summary>Value of a string.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public string String => Require<string>(NodeKind.String);

    /// <summary>Value of a byte string.</summary>
    /// <exception cref="InvalidOperationException">It is something else.</exception>
    public ReadOnlyMemory<byte> Bytes => Require<byte[]>(NodeKind.Bytes);

    /// <summary>Value of a dict's entry with that string as its key, or null.</summary>
    /// <exception cref="InvalidOperationException">It is not a dict.</exception>
    public CheckpointNode? this[string key]
    {
        get
        {
            foreach (var entry in Entries)
                if (entry.Key.payload is string text && text == key)
                    return entry.Value;
            return null;
        }
    }

    /// <summary>The scalar as an object: <see cref="BigInteger"/>, double, bool, string, byte[], or null for None.</summary>
    internal object? Scalar => payload;

    /// <summary>The tensor without a name, while the tree is being read.</summary>
    internal UnnamedTensor? RawTensor => payload as UnnamedTensor;

    internal CheckpointTensor? NamedTensor { get; set; }

    /// <summary>A class or storage that the pickle names; the machine's business only, refused in a finished tree.</summary>
    internal object? Opaque => payload is PickleGlobal or StorageReference ? payload : null;

    internal bool IsContainer => Kind is NodeKind.Dict or NodeKind.List or NodeKind.Tuple or NodeKind.Set;

    internal int ChildCount => Kind == NodeKind.Dict ? Entries.Count : Items.Count;

    internal static CheckpointNode OfInt(BigInteger value) => new(NodeKind.Int, value);

    internal static CheckpointNode OfFloat(double value) => new(NodeKind.Float, value);

    internal static CheckpointNode OfBool(bool value) => value ? True : False;

    internal static CheckpointNode OfString(string value) => new(NodeKind.String, value);

    internal static CheckpointNode OfBytes(byte[] value) => new(NodeKind.Bytes, value);

    internal static CheckpointNode OfTensor(UnnamedTensor value) => new(NodeKind.Tensor, value);

    internal static CheckpointNode OfOpaque(object value) => new(NodeKind.None, value);

    internal static CheckpointNode NewDict(string? className = null) => new(NodeKind.Dict, new List<KeyValuePair<CheckpointNode, CheckpointNode>>(), className);

    internal static CheckpointNode NewList() => new(NodeKind.List, new List<CheckpointNode>());

    internal static CheckpointNode NewSet() => new(NodeKind.Set, new List<CheckpointNode>());

    internal static CheckpointNode OfTuple(CheckpointNode[] items) => items.Length == 0 ? EmptyTuple : new(NodeKind.Tuple, items);

    internal void Append(CheckpointNode item) => ((List<CheckpointNode>)payload!).Add(item);

    /// <summary>Adds an entry; false if the key is there already.</summary>
    internal bool Add(CheckpointNode key, CheckpointNode value)
    {
        const int indexFrom = 8;
        var entries = (List<KeyValuePair<CheckpointNode, CheckpointNode>>)payload!;
        if (key.Identity is { } identity)
        {
            if (index is null && entries.Count >= indexFrom)
            {
                index = [];
                foreach (var entry in entries)
                    if (entry.Key.Identity is { } known)
                        index.Add(known, entry.Value);
            }
            if (index is null)
            {
                foreach (var entry in entries)
                    if (identity.Equals(entry.Key.Identity))
                        return false;
            }
            else if (!index.TryAdd(identity, value)) return false;
        }
        entries.Add(new(key, value));
        return true;
    }

    /// <summary>Text of a dict key in a dotted name.</summary>
    internal string KeyText => Kind switch
    {
        NodeKind.String => String,
        NodeKind.Int => Int.ToString(CultureInfo.InvariantCulture),
        NodeKind.Float => Float.ToString("R", CultureInfo.InvariantCulture),
        NodeKind.Bool => Bool ? "True" : "False",
        NodeKind.Tuple => $"({string.Join(", ", Items.Take(LongestTupleKey).Select(TupleKeyPart))})",
        _ => "None",
    };

    /// <summary>Most members of a tuple that serves as a key.</summary>
    internal const int LongestTupleKey = 16;

    /// <summary>Characters of a member that such a key's text has at most.</summary>
    internal const int LongestTupleKeyPart = 64;

    // One tuple can be the key of many dicts: its text must not grow with what is inside.
    private static string TupleKeyPart(CheckpointNode item)
    {
        if (item.IsContainer) return "(...)";
        var text = item.KeyText;
        return text.Length > LongestTupleKeyPart ? text[..LongestTupleKeyPart] : text;
    }

    // Python holds 1, 1.0 and True for the same key. Tuples are left out: no checkpoint has them as keys of anything that matters.
    private object? Identity => Kind switch
    {
        NodeKind.String => payload,
        NodeKind.Int => payload,
        NodeKind.Bool => Bool ? BigInteger.One : BigInteger.Zero,
        NodeKind.Float => double.IsFinite(Float) && Math.Floor(Float) == Float ? new BigInteger(Float) : payload,
        NodeKind.None when Opaque is null => DBNull.Value,
        _ => null,
    };

    private T Require<T>(NodeKind kind) => Kind == kind ? (T)payload! : throw Not(kind.ToString().ToLowerInvariant());

    private InvalidOperationException Not(string expected) => new($"expected {expected}, this node is of kind {Kind}");
}

/// <summary>A tensor as the pickle describes it, before its place in the tree gives it a name.</summary>
internal sealed record UnnamedTensor(TensorView View, bool IsParameter, bool RequiresGrad);

/// <summary>A class or function that the pickle names, one of the allowed.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>A storage as the pickle mentions it: typed unless it is an <c>UntypedStorage</c>, whose elements are bytes.</summary>
internal sealed record StorageReference(Storage Storage, ElementType? Type, long First, long Count);
