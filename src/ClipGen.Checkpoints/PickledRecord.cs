namespace ClipGen.Checkpoints;

/// <summary>A value that a dataset keeps as a pickle: read as data by the reader of checkpoints, nothing in it is run.</summary>
public static class PickledRecord
{
    /// <summary>Entry of an object's dict that holds what the object was restored from.</summary>
    public const string StateKey = PickleReader.StateKey;

    /// <summary>Whether bytes begin as pickles of protocol 2 and later do; no picture's file begins so.</summary>
    public static bool IsPickle(ReadOnlySpan<byte> bytes) => bytes is [PickleOpcodes.Proto, >= 2 and <= 5, ..];

    /// <summary>Reads a pickle.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="isKnownClass">Classes that may be named, by module and name. Their objects become dicts of that class with one entry, <see cref="StateKey"/>.</param>
    /// <exception cref="CheckpointException">It is damaged, or names anything else.</exception>
    public static CheckpointNode Read(byte[] bytes, string name, Func<string, string, bool> isKnownClass)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        var file = new NamedBytes(name);
        return new PickleReader(file, "the pickle", new PickleInput(file, "the pickle", new MemoryBytes(bytes), 0, bytes.Length), new NoStorages(), new RecordClasses(isKnownClass)) { LongestPickle = bytes.Length }.Read();
    }

    private sealed class NamedBytes(string name) : IPickledFile
    {
        public CheckpointException Refuse(string message, Exception? inner = null) => new(name, message, inner);
    }

    private sealed class NoStorages : IStorageResolver
    {
        public StorageReference Resolve(CheckpointNode id, Func<string, CheckpointException> refuse) => throw refuse("refers to something outside of it");
    }

    private sealed class RecordClasses(Func<string, string, bool> isKnownClass) : IPickleClasses
    {
        private static readonly PickleGlobal Encode = new("_codecs", "encode");

        public CheckpointNode? Value(PickleGlobal global) => null;

        public bool IsAllowed(PickleGlobal global) => global == Encode || isKnownClass(global.Module, global.Name);

        public string Complaint(PickleGlobal global) => $"asks for '{global}', which is not on the list of what such records need; nothing was executed";

        public CheckpointNode Construct(PickleGlobal global, IReadOnlyList<CheckpointNode> arguments, Func<string, CheckpointException> refuse, Action<CheckpointNode, CheckpointNode, CheckpointNode> addEntry) =>
            global == Encode ? PickleGlobals.BytesOf(arguments) ?? throw refuse($"calls {global} with arguments of an unknown form")
            : arguments.Count == 0 ? CheckpointNode.NewDict(global.ToString())
            : throw refuse($"makes a {global} from arguments");

        public StateUse UseOf(string className, CheckpointNode state) => StateUse.Whole;
    }
}
