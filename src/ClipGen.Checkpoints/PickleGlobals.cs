using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>The classes and functions that a checkpoint may name, and what each stands for. None of them is run: they are descriptions of data.</summary>
internal sealed class PickleGlobals(CheckpointFile file, bool inTorchScript) : IPickleClasses
{
    private static readonly Dictionary<string, ElementType> StorageTypes = new()
    {
        ["DoubleStorage"] = ElementType.F64,
        ["FloatStorage"] = ElementType.F32,
        ["HalfStorage"] = ElementType.F16,
        ["BFloat16Storage"] = ElementType.BF16,
        ["LongStorage"] = ElementType.I64,
        ["IntStorage"] = ElementType.I32,
        ["ShortStorage"] = ElementType.I16,
        ["CharStorage"] = ElementType.I8,
        ["ByteStorage"] = ElementType.U8,
        ["BoolStorage"] = ElementType.Bool,
    };

    private static readonly Dictionary<string, ElementType> DTypes = new()
    {
        ["float64"] = ElementType.F64,
        ["float32"] = ElementType.F32,
        ["float16"] = ElementType.F16,
        ["bfloat16"] = ElementType.BF16,
        ["int64"] = ElementType.I64,
        ["int32"] = ElementType.I32,
        ["int16"] = ElementType.I16,
        ["int8"] = ElementType.I8,
        ["uint8"] = ElementType.U8,
        ["bool"] = ElementType.Bool,
    };

    private static readonly HashSet<PickleGlobal> Allowed =
    [
        new("collections", "OrderedDict"),
        new("collections", "Counter"),
        new("torch._utils", "_rebuild_tensor"),
        new("torch._utils", "_rebuild_tensor_v2"),
        new("torch._utils", "_rebuild_tensor_v3"),
        new("torch._utils", "_rebuild_parameter"),
        new("torch.nn.parameter", "Parameter"),
        new("torch", "Size"),
        new("torch", "device"),
        new("torch.storage", "UntypedStorage"),
        new("torch", "UntypedStorage"),
        new("_codecs", "encode"),
        new("builtins", "set"),
        new("__builtin__", "set"),
        new("builtins", "bytearray"),
        new("__builtin__", "bytearray"),
        .. StorageTypes.Keys.Select(name => new PickleGlobal("torch", name)),
    ];

    private static readonly HashSet<PickleGlobal> AllowedInTorchScript =
    [
        new("torch.jit._pickle", "build_intlist"),
        new("torch.jit._pickle", "build_doublelist"),
        new("torch.jit._pickle", "build_boollist"),
        new("torch.jit._pickle", "build_tensorlist"),
        new("torch.jit._pickle", "restore_type_tag"),
    ];

    public bool IsAllowed(PickleGlobal global) =>
        Allowed.Contains(global) || (inTorchScript && (AllowedInTorchScript.Contains(global) || IsModuleClass(global.Module)));

    /// <summary>Whether a TorchScript module class is meant; any is allowed, as a bag of attributes.</summary>
    public static bool IsModuleClass(string name) => name == "__torch__" || name.StartsWith("__torch__.", StringComparison.Ordinal);

    // An element type used as a value, such as torch.float32, and the classes that Lightning files its callbacks' notes under: their names.
    public CheckpointNode? Value(PickleGlobal global) =>
        global.Module == "torch" && DTypes.ContainsKey(global.Name) || global.Module.StartsWith("pytorch_lightning.callbacks.", StringComparison.Ordinal) ? CheckpointNode.OfString(global.ToString()) : null;

    // A state dict carries '_metadata' here, which says nothing about the weights.
    public StateUse UseOf(string className, CheckpointNode state) => state.Kind != NodeKind.Dict ? StateUse.Refused : IsModuleClass(className) ? StateUse.Attributes : StateUse.Ignored;

    /// <summary>Type of a storage class: null inside for an untyped one.</summary>
    public static bool IsStorageClass(PickleGlobal global, out ElementType? type)
    {
        type = global.Module == "torch" && StorageTypes.TryGetValue(global.Name, out var known) ? known : null;
        return type is not null || global.Name == "UntypedStorage";
    }

    /// <summary>The storage class of an element type.</summary>
    public static string StorageName(ElementType type) => StorageTypes.First(entry => entry.Value == type).Key;

    public string Complaint(PickleGlobal global)
    {
        var text = $"asks for '{global}', which is not on the list of what checkpoints of tensors need";
        var (module, name) = (global.Module, global.Name);
        if (module == "torch" && name.EndsWith("Storage", StringComparison.Ordinal)) return $"{text}: tensors of type {name[..^7]} are not supported; convert them before saving";
        if (module.StartsWith("numpy", StringComparison.Ordinal)) return $"{text}: a NumPy value; turn it into a Python number or a tensor before saving";
        if (module.StartsWith("torch.nn", StringComparison.Ordinal)) return $"{text}: a whole module was saved; save model.state_dict() instead";
        if (IsModuleClass(module)) return $"{text}: a TorchScript class outside a TorchScript archive";
        return $"{text}; nothing was executed; do not open the file with other tools unless you trust its source";
    }

    public CheckpointNode Construct(
        PickleGlobal global, IReadOnlyList<CheckpointNode> arguments,
        Func<string, CheckpointException> refuse, Action<CheckpointNode, CheckpointNode, CheckpointNode> addEntry)
    {
        CheckpointException Unexpected() => refuse($"calls {global} with arguments of an unknown form");
        if (IsModuleClass(global.Module)) return arguments.Count == 0 ? CheckpointNode.NewDict(global.ToString()) : throw Unexpected();
        switch (global.Name)
        {
            case "OrderedDict":
            case "Counter":
                return NewDict(global, arguments, addEntry, Unexpected);
            case "_rebuild_tensor" when arguments.Count == 4:
            case "_rebuild_tensor_v2" when arguments.Count is 6 or 7:
                return NewTensor(file, arguments, null, refuse, Unexpected);
            case "_rebuild_tensor_v3" when arguments.Count is 7 or 8 && arguments[6] is { Kind: NodeKind.String } dtype
                && dtype.String.StartsWith("torch.", StringComparison.Ordinal) && DTypes.TryGetValue(dtype.String[6..], out var type):
                return NewTensor(file, arguments, type, refuse, Unexpected);
            case "_rebuild_parameter" when arguments.Count == 3 && arguments[0].RawTensor is { } tensor && arguments[1].Kind == NodeKind.Bool:
                return CheckpointNode.OfTensor(tensor with { IsParameter = true, RequiresGrad = arguments[1].Bool });
            case "Parameter" when arguments.Count is 1 or 2 && arguments[0].RawTensor is { } tensor && arguments[^1].Kind is NodeKind.Bool or NodeKind.Tensor:
                return CheckpointNode.OfTensor(tensor with { IsParameter = true, RequiresGrad = arguments.Count == 1 || (arguments[1].Kind == NodeKind.Bool && arguments[1].Bool) });
            case "Size" when arguments.Count == 1 && arguments[0].Kind is NodeKind.Tuple or NodeKind.List:
                return CheckpointNode.OfTuple([.. arguments[0].Items]);
            case "device" when arguments.Count is 1 or 2 && arguments[0].Kind == NodeKind.String:
                if (arguments.Count == 1) return arguments[0];
                return arguments[1].Kind == NodeKind.Int && arguments[0].String.Length < 64 ? CheckpointNode.OfString($"{arguments[0].String}:{arguments[1].Int}") : throw Unexpected();
            case "set" when arguments.Count == 1 && arguments[0].Kind is NodeKind.List or NodeKind.Tuple:
                var set = CheckpointNode.NewSet();
                foreach (var item in arguments[0].Items) set.Append(item);
                return set;
            case "encode":
                return BytesOf(arguments) ?? throw Unexpected();
            case "bytearray" when arguments.Count == 0:
                return CheckpointNode.OfBytes([]);
            case "bytearray" when arguments.Count == 1 && arguments[0].Kind == NodeKind.Bytes:
                return arguments[0];
            case "build_intlist" or "build_doublelist" or "build_boollist" or "build_tensorlist" when arguments.Count == 1 && arguments[0].Kind == NodeKind.List:
                return arguments[0];
            case "restore_type_tag" when arguments.Count == 2 && arguments[0].IsContainer:
                return arguments[0];
            default:
                throw Unexpected();
        }
    }

    /// <summary>Protocol 2 has no bytes: Python writes them as a call that encodes a text of small characters. Null for another call.</summary>
    public static CheckpointNode? BytesOf(IReadOnlyList<CheckpointNode> arguments) =>
        arguments is [{ Kind: NodeKind.String } text, { Kind: NodeKind.String, String: "latin1" }] && text.String.All(c => c < 256) ? CheckpointNode.OfBytes(Encoding.Latin1.GetBytes(text.String)) : null;

    private static CheckpointNode NewDict(
        PickleGlobal global, IReadOnlyList<CheckpointNode> arguments, Action<CheckpointNode, CheckpointNode, CheckpointNode> addEntry, Func<CheckpointException> unexpected)
    {
        var dict = CheckpointNode.NewDict(global.ToString());
        if (arguments.Count == 0) return dict;
        if (arguments.Count != 1 || !arguments[0].IsContainer) throw unexpected();
        if (arguments[0].Kind == NodeKind.Dict)
        {
            foreach (var (key, value) in arguments[0].Entries) addEntry(dict, key, value);
            return dict;
        }
        foreach (var pair in arguments[0].Items)
        {
            if (pair.Kind is not (NodeKind.List or NodeKind.Tuple) || pair.Items.Count != 2) throw unexpected();
            addEntry(dict, pair.Items[0], pair.Items[1]);
        }
        return dict;
    }

    // Arguments: storage, offset, sizes, strides, requires_grad, hooks, then the element type if the storage is untyped.
    private static CheckpointNode NewTensor(
        CheckpointFile file, IReadOnlyList<CheckpointNode> arguments, ElementType? type, Func<string, CheckpointException> refuse, Func<CheckpointException> unexpected)
    {
        if (arguments[0].Opaque is not StorageReference storage) throw unexpected();
        var requiresGrad = false;
        if (arguments.Count > 4) requiresGrad = arguments[4].Kind == NodeKind.Bool ? arguments[4].Bool : throw unexpected();
        var element = storage.Type ?? type ?? throw refuse("has a tensor without an element type");
        if (type is not null && storage.Type is not null && type != storage.Type) throw refuse($"has a tensor of type {type} over a storage of type {storage.Type}");
        var capacity = storage.Type is null ? storage.Count / element.ByteSize() : storage.Count;
        if (storage.Type is null && storage.First != 0) throw unexpected();
        var offset = Integer(arguments[1], refuse);
        if (offset > long.MaxValue - storage.First) throw refuse("has a tensor whose offset is beyond any storage");
        var view = TensorView.Create(
            file, storage.Storage, element, storage.First + capacity, offset < 0 ? offset : storage.First + offset,
            Integers(arguments[2], refuse, unexpected), Integers(arguments[3], refuse, unexpected), complaint => refuse($"describes a tensor wrongly: {complaint}"));
        return CheckpointNode.OfTensor(new UnnamedTensor(view, false, requiresGrad));
    }

    private static long[] Integers(CheckpointNode node, Func<string, CheckpointException> refuse, Func<CheckpointException> unexpected)
    {
        if (node.Kind is not (NodeKind.Tuple or NodeKind.List)) throw unexpected();
        if (node.Items.Count > TensorView.MaxRank) throw refuse($"has a tensor of {node.Items.Count} axes, more than {TensorView.MaxRank}");
        var values = new long[node.Items.Count];
        for (var i = 0; i < values.Length; i++) values[i] = Integer(node.Items[i], refuse);
        return values;
    }

    /// <summary>An integer of 64 bits.</summary>
    public static long Integer(CheckpointNode node, Func<string, CheckpointException> refuse)
    {
        if (node.Kind != NodeKind.Int) throw refuse($"has a {node.Kind.ToString().ToLowerInvariant()} where a size belongs");
        return node.Int >= long.MinValue && node.Int <= long.MaxValue ? (long)node.Int : throw refuse($"has a size that does not fit 64 bits");
    }
}
