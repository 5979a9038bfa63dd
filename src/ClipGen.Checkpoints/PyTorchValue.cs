using System.Numerics;

namespace ClipGen.Checkpoints;

/// <summary>A Python object to be written into a <c>.pt</c> file: numbers, text, containers, and tensors that are read when they are written.</summary>
public sealed class PyTorchValue
{
    private const int MaxDepth = 200;

    private PyTorchValue(NodeKind kind, object? content, bool isOrdered = false)
    {
        Kind = kind;
        Content = content;
        IsOrdered = isOrdered;
    }

    internal NodeKind Kind { get; }

    internal object? Content { get; }

    internal bool IsOrdered { get; }

    internal IReadOnlyList<PyTorchValue> Items => (IReadOnlyList<PyTorchValue>)Content!;

    internal IReadOnlyList<(PyTorchValue Key, PyTorchValue Value)> Entries => (IReadOnlyList<(PyTorchValue, PyTorchValue)>)Content!;

    /// <summary>Python's <c>None</c>.</summary>
    public static PyTorchValue None { get; } = new(NodeKind.None, null);

    /// <summary>An integer.</summary>
    public static implicit operator PyTorchValue(long value) => new(NodeKind.Int, (BigInteger)value);

    /// <summary>An integer of any size.</summary>
    public static implicit operator PyTorchValue(BigInteger value) => new(NodeKind.Int, value);

    /// <summary>A float.</summary>
    public static implicit operator PyTorchValue(double value) => new(NodeKind.Float, value);

    /// <summary>A Boolean.</summary>
    public static implicit operator PyTorchValue(bool value) => new(NodeKind.Bool, value);

    /// <summary>Text.</summary>
    public static implicit operator PyTorchValue(string value) => new(NodeKind.String, value);

    /// <summary>A tensor; its name plays no role. One source used in several places becomes one shared storage.</summary>
    public static implicit operator PyTorchValue(TensorSource value) => Tensor(value);

    /// <summary>A tensor; its name plays no role. One source used in several places becomes one shared storage.</summary>
    public static PyTorchValue Tensor(TensorSource value)
    {
        ArgumentNullException.ThrowIfNull(value);
        value.Check();
        return new(NodeKind.Tensor, value);
    }

    /// <summary>An <c>OrderedDict</c> of tensors under their names, as <c>state_dict()</c> makes it.</summary>
    /// <exception cref="ArgumentException">Two have the same name.</exception>
    public static PyTorchValue StateDict(IEnumerable<TensorSource> tensors) =>
        new(NodeKind.Dict, Unique(tensors.Select(tensor => ((PyTorchValue)tensor.Name, Tensor(tensor)))), isOrdered: true);

    /// <summary>A dict with text keys, in order.</summary>
    /// <exception cref="ArgumentException">A key is there twice.</exception>
    public static PyTorchValue Dict(params IEnumerable<(string Key, PyTorchValue Value)> entries) => Dict(entries.Select(entry => ((PyTorchValue)entry.Key, entry.Value)));

    /// <summary>A dict with keys of any scalar kind, in order.</summary>
    /// <exception cref="ArgumentException">A key is there twice.</exception>
    public static PyTorchValue Dict(IEnumerable<(PyTorchValue Key, PyTorchValue Value)> entries) => new(NodeKind.Dict, Unique(entries));

    /// <summary>A list.</summary>
    public static PyTorchValue List(params IEnumerable<PyTorchValue> items) => new(NodeKind.List, items.ToArray());

    /// <summary>A tuple.</summary>
    public static PyTorchValue Tuple(params IEnumerable<PyTorchValue> items) => new(NodeKind.Tuple, items.ToArray());

    /// <summary>A container with any members or entries, as a description of a tree says.</summary>
    internal static PyTorchValue Container(NodeKind kind, object content, bool isOrdered = false) => new(kind, content, isOrdered);

    /// <summary>A scalar: <see cref="BigInteger"/>, double, bool, string, byte[], or null.</summary>
    internal static PyTorchValue Scalar(NodeKind kind, object? content) => new(kind, content);

    /// <summary>Part of an open checkpoint's tree, which must stay open until it is written. Modules of TorchScript become plain dicts.</summary>
    public static PyTorchValue From(CheckpointNode node) => From(node, TensorSource.From);

    /// <summary>The same with tensors that are changed on the way, for example rounded to another element type.</summary>
    public static PyTorchValue From(CheckpointNode node, Func<CheckpointTensor, TensorSource> tensor) => From(node, tensor, [], 0);

    private static PyTorchValue From(CheckpointNode node, Func<CheckpointTensor, TensorSource> change, Dictionary<CheckpointNode, PyTorchValue> tensors, int depth)
    {
        if (depth > MaxDepth) throw new ArgumentException($"the tree is nested deeper than {MaxDepth} levels", nameof(node));
        PyTorchValue[] Members() => [.. node.Items.Select(item => From(item, change, tensors, depth + 1))];
        switch (node.Kind)
        {
            case NodeKind.Dict:
                return new(NodeKind.Dict, node.Entries.Select(entry => (From(entry.Key, change, tensors, depth + 1), From(entry.Value, change, tensors, depth + 1))).ToArray(), node.ClassName == "collections.OrderedDict");
            case NodeKind.List or NodeKind.Tuple or NodeKind.Set:
                return new(node.Kind, Members());
            case NodeKind.Tensor:
                // The same tensor under two names (tied weights) stays one.
                if (!tensors.TryGetValue(node, out var tensor)) tensors[node] = tensor = Tensor(change(node.Tensor));
                return tensor;
            default:
                return new(node.Kind, node.Scalar);
        }
    }

    private static (PyTorchValue, PyTorchValue)[] Unique(IEnumerable<(PyTorchValue Key, PyTorchValue Value)> entries)
    {
        var all = entries.ToArray();
        var keys = new HashSet<object>();
        foreach (var (key, _) in all)
        {
            if (key.Kind is not (NodeKind.String or NodeKind.Int or NodeKind.Float or NodeKind.Bool or NodeKind.None)) throw new ArgumentException("a dict's key must be text, a number, a Boolean or None", nameof(entries));
            if (!keys.Add(key.Content ?? DBNull.Value)) throw new ArgumentException($"two entries have the key '{key.Content}'", nameof(entries));
        }
        return all;
    }
}
