using System.Globalization;
using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>
/// Gives every leaf of an object tree its dotted name. Iterative, so that depth costs no stack; bounded, because lists that share members
/// can describe a tree far larger than the file.
/// </summary>
internal sealed class TreeWalk(CheckpointFile file, int objectCount)
{
    private const int MaxDepth = 200;
    private const int MaxName = 4096;
    private const long FreeNameCharacters = 4 << 20;
    private readonly long visitLimit = 1024 + 8L * objectCount;
    private readonly long nameLimit = FreeNameCharacters + 64L * objectCount;
    private readonly StringBuilder name = new();
    private readonly Stack<Frame> frames = new();
    private readonly HashSet<CheckpointNode> open = [];
    private readonly List<CheckpointTensor> tensors = [];
    private readonly Dictionary<string, object?> values = [];
    private readonly Dictionary<string, CheckpointTensor> byName = [];
    private long visits, nameCharacters;

    public IReadOnlyList<CheckpointTensor> Tensors => tensors;

    public Dictionary<string, object?> Values => values;

    public Dictionary<string, CheckpointTensor> ByName => byName;

    public void Run(CheckpointNode root)
    {
        Visit(root);
        while (frames.TryPeek(out var frame))
        {
            name.Length = frame.NameLength;
            if (frame.Next == frame.Node.ChildCount)
            {
                open.Remove(frame.Node);
                frames.Pop();
                continue;
            }
            var child = Enter(frame.Node, frame.Next++, frame.NameLength);
            Visit(child);
        }
    }

    private CheckpointNode Enter(CheckpointNode node, int i, int nameLength)
    {
        if (frames.Count > 1 || nameLength > 0) name.Append('.');
        if (node.Kind != NodeKind.Dict)
        {
            name.Append(CultureInfo.InvariantCulture, $"{i}");
            return node.Items[i];
        }
        var (key, value) = node.Entries[i];
        var text = key.KeyText;
        if (name.Length + text.Length > MaxName) throw file.Refuse($"a name in it is longer than {MaxName} characters; this is no checkpoint of tensors");
        name.Append(text);
        return value;
    }

    private void Visit(CheckpointNode node)
    {
        if (++visits > visitLimit) throw file.Refuse("its lists share their members so often that the whole is far larger than the file; this is no honest checkpoint");
        if (node.Opaque is { } opaque) throw file.Refuse($"its value '{name}' is the bare {(opaque is PickleGlobal global ? $"class {global}" : "storage")}, not data; save tensors and numbers");
        if (node.IsContainer)
        {
            if (!open.Add(node) && node.ChildCount > 0) throw file.Refuse($"its value '{name}' contains itself; such objects are not read");
            if (frames.Count >= MaxDepth) throw file.Refuse($"it is nested deeper than {MaxDepth} levels; this is no checkpoint of tensors");
            frames.Push(new Frame(node, name.Length));
            return;
        }
        if ((nameCharacters += name.Length) > nameLimit) throw file.Refuse("the names in it are far longer than the file; this is no honest checkpoint");
        var full = name.ToString();
        if (values.ContainsKey(full) || byName.ContainsKey(full)) throw file.Refuse($"two values in it have the same dotted name '{full}'; rename one before saving");
        if (node.RawTensor is { } raw)
        {
            var tensor = new CheckpointTensor(full, raw.View, raw.IsParameter, raw.RequiresGrad);
            node.NamedTensor ??= tensor;
            tensors.Add(tensor);
            byName.Add(full, tensor);
        }
        else values.Add(full, node.Scalar);
    }

    private sealed class Frame(CheckpointNode node, int nameLength)
    {
        public CheckpointNode Node => node;

        public int NameLength => nameLength;

        public int Next { get; set; }
    }
}
