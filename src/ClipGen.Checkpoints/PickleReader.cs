using System.Numerics;

namespace ClipGen.Checkpoints;

/// <summary>
/// Reads a pickle as data. The opcodes are those that <c>torch.save</c> and pickled values of datasets need, the classes and functions those that the kind of file may name
/// (<see cref="IPickleClasses"/>); anything else is refused by name, and nothing is ever run. Sizes and counts are bounded, so that a
/// few bytes cannot ask for much memory.
/// </summary>
internal sealed class PickleReader(IPickledFile file, string what, PickleInput input, IStorageResolver storages, IPickleClasses classes)
{
    /// <summary>Longest pickle; that of a 1.3 GB checkpoint has 100 KB.</summary>
    public const int MaxBytes = 32 << 20;

    /// <summary>Entry of an object's dict that holds the whole state it was given.</summary>
    public const string StateKey = "state";

    private const int MaxObjects = 2_000_000;
    private const int MaxStack = 1_000_000;
    private const int MaxGlobalName = 256;
    private const int MaxIntegerBytes = 1024;
    private readonly List<CheckpointNode> stack = [];
    private readonly List<int> marks = [];
    private readonly Dictionary<uint, CheckpointNode> memo = [];
    private long opcodeAt;

    /// <summary>Longest pickle that is read.</summary>
    public long LongestPickle { get; init; } = MaxBytes;

    /// <summary>Objects made, a measure for how large the finished tree may be.</summary>
    public int ObjectCount { get; private set; }

    /// <summary>Reads up to STOP and returns the object.</summary>
    public CheckpointNode Read()
    {
        opcodeAt = input.Position;
        var begin = opcodeAt;
        if (input.ReadByte() != PickleOpcodes.Proto) throw Refuse("does not begin with a pickle of protocol 2 or later");
        var protocol = input.ReadByte();
        if (protocol is < 2 or > 5) throw Refuse($"is a pickle of protocol {protocol}, 2 to 5 are known");
        while (true)
        {
            opcodeAt = input.Position;
            if (opcodeAt - begin > LongestPickle) throw Refuse($"is longer than {LongestPickle:N0} bytes");
            var opcode = input.ReadByte();
            if (opcode == PickleOpcodes.Stop) break;
            Execute(opcode);
        }
        if (marks.Count != 0 || stack.Count != 1) throw Refuse($"leaves {stack.Count} objects at its end instead of one");
        return stack[0];
    }

    private void Execute(byte opcode)
    {
        switch (opcode)
        {
            case PickleOpcodes.Frame:
                var frame = input.ReadInt64();
                if (frame < 0 || frame > input.Remaining) throw Refuse($"has a frame of {(ulong)frame:N0} bytes, {input.Remaining:N0} are left");
                break;
            case PickleOpcodes.Mark:
                if (marks.Count >= MaxStack) throw Refuse("nests too much");
                marks.Add(stack.Count);
                break;
            case PickleOpcodes.None: Push(CheckpointNode.None); break;
            case PickleOpcodes.NewTrue: Push(CheckpointNode.True); break;
            case PickleOpcodes.NewFalse: Push(CheckpointNode.False); break;
            case PickleOpcodes.BinInt: PushInt(input.ReadInt32()); break;
            case PickleOpcodes.BinInt1: PushInt(input.ReadByte()); break;
            case PickleOpcodes.BinInt2: PushInt(input.ReadUInt16()); break;
            case PickleOpcodes.Long1: PushLong(input.ReadByte()); break;
            case PickleOpcodes.Long4: PushLong(input.ReadInt32()); break;
            case PickleOpcodes.BinFloat: PushNew(CheckpointNode.OfFloat(input.ReadDoubleBigEndian())); break;
            case PickleOpcodes.ShortBinUnicode: PushText(input.ReadByte()); break;
            case PickleOpcodes.BinUnicode: PushText((uint)input.ReadInt32()); break;
            case PickleOpcodes.BinUnicode8: PushText(input.ReadInt64()); break;
            case PickleOpcodes.ShortBinString: PushText(input.ReadByte()); break;
            case PickleOpcodes.BinString: PushText((uint)input.ReadInt32()); break;
            case PickleOpcodes.ShortBinBytes: PushNew(CheckpointNode.OfBytes(input.ReadBytes(input.ReadByte()))); break;
            case PickleOpcodes.BinBytes: PushNew(CheckpointNode.OfBytes(input.ReadBytes((uint)input.ReadInt32()))); break;
            case PickleOpcodes.BinBytes8: PushNew(CheckpointNode.OfBytes(input.ReadBytes(input.ReadInt64()))); break;
            case PickleOpcodes.EmptyTuple: Push(CheckpointNode.EmptyTuple); break;
            case PickleOpcodes.Tuple1: PushNew(CheckpointNode.OfTuple(Pop(1))); break;
            case PickleOpcodes.Tuple2: PushNew(CheckpointNode.OfTuple(Pop(2))); break;
            case PickleOpcodes.Tuple3: PushNew(CheckpointNode.OfTuple(Pop(3))); break;
            case PickleOpcodes.Tuple: PushNew(CheckpointNode.OfTuple(PopToMark())); break;
            case PickleOpcodes.EmptyList: PushNew(CheckpointNode.NewList()); break;
            case PickleOpcodes.EmptyDict: PushNew(CheckpointNode.NewDict()); break;
            case PickleOpcodes.EmptySet: PushNew(CheckpointNode.NewSet()); break;
            case PickleOpcodes.Append: AppendAll(Pop(1), NodeKind.List); break;
            case PickleOpcodes.Appends: AppendAll(PopToMark(), NodeKind.List); break;
            case PickleOpcodes.AddItems: AppendAll(PopToMark(), NodeKind.Set); break;
            case PickleOpcodes.FrozenSet:
                var members = PopToMark();
                PushNew(CheckpointNode.NewSet());
                AppendAll(members, NodeKind.Set);
                break;
            case PickleOpcodes.SetItem: SetAll(Pop(2)); break;
            case PickleOpcodes.SetItems: SetAll(PopToMark()); break;
            case PickleOpcodes.BinPut: memo[input.ReadByte()] = Top(); break;
            case PickleOpcodes.LongBinPut: memo[(uint)input.ReadInt32()] = Top(); break;
            case PickleOpcodes.Memoize: memo[(uint)memo.Count] = Top(); break;
            case PickleOpcodes.BinGet: Push(Recall(input.ReadByte())); break;
            case PickleOpcodes.LongBinGet: Push(Recall((uint)input.ReadInt32())); break;
            case PickleOpcodes.Global: PushGlobal(input.ReadLine(MaxGlobalName), input.ReadLine(MaxGlobalName)); break;
            case PickleOpcodes.StackGlobal:
                var names = Pop(2);
                if (names[0].Kind != NodeKind.String || names[1].Kind != NodeKind.String) throw Refuse("names a class by something that is not text");
                PushGlobal(names[0].String, names[1].String);
                break;
            case PickleOpcodes.Reduce: Construct(Pop(2)); break;
            case PickleOpcodes.NewObj: Construct(Pop(2)); break;
            case PickleOpcodes.Build: SetState(Pop(1)[0]); break;
            case PickleOpcodes.BinPersId:
                PushNew(CheckpointNode.OfOpaque(storages.Resolve(Pop(1)[0], Refuse)));
                break;
            case PickleOpcodes.Proto: throw Refuse("sets its protocol twice");
            default:
                throw Refuse($"uses the opcode 0x{opcode:x2} ({PickleOpcodes.NameOfRefused(opcode)}), which data does not need; nothing was executed");
        }
    }

    private void Push(CheckpointNode node)
    {
        if (stack.Count >= MaxStack) throw Refuse($"stacks more than {MaxStack:N0} objects");
        stack.Add(node);
    }

    private void PushNew(CheckpointNode node)
    {
        if (++ObjectCount > MaxObjects) throw Refuse($"makes more than {MaxObjects:N0} objects");
        Push(node);
    }

    private void PushInt(int value) => PushNew(CheckpointNode.OfInt(value));

    private void PushLong(int length)
    {
        if (length is < 0 or > MaxIntegerBytes) throw Refuse($"has an integer of {length} bytes, more than {MaxIntegerBytes} are not read");
        PushNew(CheckpointNode.OfInt(new BigInteger(input.ReadBytes(length))));
    }

    private void PushText(long length) => PushNew(CheckpointNode.OfString(input.ReadText(length)));

    private CheckpointNode Top()
    {
        if (stack.Count <= Floor) throw Refuse("takes an object that is not there");
        return stack[^1];
    }

    // Objects below the last mark belong to what is being built around it.
    private int Floor => marks.Count == 0 ? 0 : marks[^1];

    private CheckpointNode[] Pop(int count)
    {
        if (stack.Count - Floor < count) throw Refuse("takes more objects than there are");
        return PopFrom(stack.Count - count);
    }

    private CheckpointNode[] PopToMark()
    {
        if (marks.Count == 0) throw Refuse("ends a group that it did not begin");
        var mark = marks[^1];
        marks.RemoveAt(marks.Count - 1);
        return PopFrom(mark);
    }

    private CheckpointNode[] PopFrom(int first)
    {
        var items = new CheckpointNode[stack.Count - first];
        stack.CopyTo(first, items, 0, items.Length);
        stack.RemoveRange(first, items.Length);
        return items;
    }

    private CheckpointNode Recall(uint key) => memo.TryGetValue(key, out var node) ? node : throw Refuse($"recalls entry {key} that it never stored");

    private void AppendAll(CheckpointNode[] items, NodeKind kind)
    {
        var list = Top();
        if (list.Kind != kind) throw Refuse($"adds members to something that is not a {kind.ToString().ToLowerInvariant()}");
        if ((ObjectCount += items.Length) > MaxObjects) throw Refuse($"makes more than {MaxObjects:N0} objects");
        foreach (var item in items) list.Append(item);
    }

    private void SetAll(CheckpointNode[] pairs)
    {
        var dict = Top();
        if (dict.Kind != NodeKind.Dict) throw Refuse("sets entries of something that is not a dict");
        if (pairs.Length % 2 != 0) throw Refuse("sets an entry without a value");
        if ((ObjectCount += pairs.Length) > MaxObjects) throw Refuse($"makes more than {MaxObjects:N0} objects");
        for (var i = 0; i < pairs.Length; i += 2) AddEntry(dict, pairs[i], pairs[i + 1]);
    }

    private void AddEntry(CheckpointNode dict, CheckpointNode key, CheckpointNode value)
    {
        var isKey = key.Opaque is null && key.Kind switch
        {
            NodeKind.String or NodeKind.Int or NodeKind.Float or NodeKind.Bool or NodeKind.None => true,
            NodeKind.Tuple => key.Items.Count <= CheckpointNode.LongestTupleKey,
            _ => false,
        };
        if (!isKey) throw Refuse("has a dict key that is neither text, number nor a short tuple");
        if (!dict.Add(key, value)) throw Refuse($"sets the dict entry '{key.KeyText}' twice");
    }

    private void PushGlobal(string module, string name)
    {
        var global = new PickleGlobal(module, name);
        if (classes.Value(global) is { } value) PushNew(value);
        else if (classes.IsAllowed(global)) PushNew(CheckpointNode.OfOpaque(global));
        else throw Refuse(classes.Complaint(global));
    }

    private void Construct(CheckpointNode[] call)
    {
        if (call[0].Opaque is not PickleGlobal global) throw Refuse("calls something that is not a known class");
        if (call[1].Kind != NodeKind.Tuple) throw Refuse($"calls {global} without a tuple of arguments");
        // One large argument can be recalled for many calls, and each would copy it.
        foreach (var argument in call[1].Items)
        {
            var size = argument.IsContainer ? argument.ChildCount : argument.Kind == NodeKind.String ? argument.String.Length / 16 : 0;
            if ((ObjectCount += size) > MaxObjects) throw Refuse($"makes more than {MaxObjects:N0} objects");
        }
        PushNew(classes.Construct(global, call[1].Items, Refuse, AddEntry));
    }

    private void SetState(CheckpointNode state)
    {
        var target = Top();
        switch (target is { Kind: NodeKind.Dict, ClassName: { } name } ? classes.UseOf(name, state) : StateUse.Refused)
        {
            case StateUse.Ignored:
                return;
            case StateUse.Whole:
                AddEntry(target, CheckpointNode.OfString(StateKey), state);
                return;
            case StateUse.Attributes when state.Kind == NodeKind.Dict:
                if ((ObjectCount += 2 * state.Entries.Count) > MaxObjects) throw Refuse($"makes more than {MaxObjects:N0} objects");
                foreach (var (key, value) in state.Entries)
                    if (!IsBookkeeping(key, value))
                        AddEntry(target, key, value);
                return;
            default:
                throw Refuse("sets the state of an object that should have none");
        }
    }

    // TorchScript modules carry 'training' and hook flags beside their parameters.
    private static bool IsBookkeeping(CheckpointNode key, CheckpointNode value) =>
        key.Kind == NodeKind.String && (key.String == "training" || key.String.StartsWith('_')) && value.Kind is NodeKind.Bool or NodeKind.None && value.Opaque is null;

    private CheckpointException Refuse(string complaint) => file.Refuse($"{what} {complaint} (byte {opcodeAt:N0})");
}

/// <summary>Finds the storage that a pickle's persistent id names.</summary>
internal interface IStorageResolver
{
    StorageReference Resolve(CheckpointNode id, Func<string, CheckpointException> refuse);
}

/// <summary>The file that a pickle comes from, for messages.</summary>
internal interface IPickledFile
{
    CheckpointException Refuse(string message, Exception? inner = null);
}

/// <summary>What becomes of the state that an object of a class is given.</summary>
internal enum StateUse
{
    /// <summary>The class has none.</summary>
    Refused,

    /// <summary>It says nothing that matters.</summary>
    Ignored,

    /// <summary>Its entries are the object's attributes.</summary>
    Attributes,

    /// <summary>It is kept as it is, under <see cref="PickleReader.StateKey"/>.</summary>
    Whole,
}

/// <summary>Classes and functions that pickles of a kind of file may name, and the data that they stand for. None of them is run.</summary>
internal interface IPickleClasses
{
    /// <summary>The value that a name stands for by itself; null if it is not one.</summary>
    CheckpointNode? Value(PickleGlobal global);

    bool IsAllowed(PickleGlobal global);

    /// <summary>Why one is refused, with the remedy if it is a familiar one.</summary>
    string Complaint(PickleGlobal global);

    /// <summary>The object that calling one with those arguments stands for.</summary>
    CheckpointNode Construct(PickleGlobal global, IReadOnlyList<CheckpointNode> arguments, Func<string, CheckpointException> refuse, Action<CheckpointNode, CheckpointNode, CheckpointNode> addEntry);

    StateUse UseOf(string className, CheckpointNode state);
}
