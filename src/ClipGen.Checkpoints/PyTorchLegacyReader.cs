using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace ClipGen.Checkpoints;

/// <summary>
/// The format of <c>torch.save</c> before 1.6: pickles of a magic number, a protocol number, facts about the writing machine, the object and
/// the list of storage keys; then each storage as a 64-bit count of elements and the elements (layout: torch/serialization.py, <c>_legacy_save</c>).
/// </summary>
internal sealed class PyTorchLegacyReader : IStorageResolver
{
    private const int ProtocolVersion = 1001;
    private static readonly BigInteger Magic = BigInteger.Parse("1950a86a20f9469cfc6c", NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    private readonly CheckpointFile file;
    private readonly Dictionary<string, (Storage Storage, PersistentId Id)> storages = [];
    private long position;

    private PyTorchLegacyReader(CheckpointFile file) => this.file = file;

    public static (CheckpointNode Root, int ObjectCount) Read(CheckpointFile file) => new PyTorchLegacyReader(file).ReadStream();

    public StorageReference Resolve(CheckpointNode node, Func<string, CheckpointException> refuse)
    {
        var id = PersistentId.Parse(node, refuse);
        if (id.ByteLength > file.Length) throw refuse($"declares storage '{id.Key}' as {id.Count:N0} elements, more than the file's {file.Length:N0} bytes hold");
        if (!storages.TryGetValue(id.Key, out var known)) storages[id.Key] = known = (new Storage(id.Key, storages.Count), id);
        else if (known.Id.Type != id.Type || known.Id.Count != id.Count) throw refuse($"declares storage '{id.Key}' twice, in different ways");
        if (id.Part is not { } part) return new StorageReference(known.Storage, id.Type, 0, id.Count);
        // A part: its own key, its first element and its number of elements.
        if (part.Kind != NodeKind.Tuple || part.Items.Count != 3) throw refuse($"describes a part of storage '{id.Key}' in an unknown way");
        long first = PickleGlobals.Integer(part.Items[1], refuse), count = PickleGlobals.Integer(part.Items[2], refuse);
        if (first < 0 || count < 0 || first > id.Count - count) throw refuse($"refers to elements outside of storage '{id.Key}'");
        return new StorageReference(known.Storage, id.Type, first, count);
    }

    private (CheckpointNode Root, int ObjectCount) ReadStream()
    {
        var magic = ReadPickle("the magic number").Root;
        if (magic.Kind != NodeKind.Int || magic.Int != Magic)
            throw file.Refuse("is a pickle, but not one of torch.save: its magic number is missing; save the tensors with torch.save or as safetensors");
        var protocol = ReadPickle("the protocol number").Root;
        if (protocol.Kind != NodeKind.Int || protocol.Int != ProtocolVersion) throw file.Refuse($"is not of the protocol {ProtocolVersion} of torch.save; save it again with a current PyTorch");
        var machine = ReadPickle("the system description").Root;
        if (machine.Kind == NodeKind.Dict && machine["little_endian"] is { Kind: NodeKind.Bool, Bool: false })
            throw file.Refuse("its data is big-endian, only little-endian data is read; save it again on a little-endian machine");
        var (root, count) = ReadPickle("the object");
        var keys = ReadPickle("the list of storages").Root;
        if (keys.Kind != NodeKind.List) throw file.Refuse("its list of storages is not a list; the file is damaged");
        foreach (var key in keys.Items) Place(key);
        foreach (var (storage, _) in storages.Values)
            if (storage.Data is null)
                throw file.Refuse($"storage '{storage.Key}' is not among those in the file; the file is damaged or incomplete, get it again");
        return (root, count);
    }

    private (CheckpointNode Root, int ObjectCount) ReadPickle(string what)
    {
        var input = new PickleInput(file, what, new FileBytes(file, 0, file.Length), position, file.Length);
        var reader = new PickleReader(file, what, input, this, new PickleGlobals(file, inTorchScript: false));
        var root = reader.Read();
        position = input.Position;
        return (root, reader.ObjectCount);
    }

    private void Place(CheckpointNode key)
    {
        if (key.Kind is not (NodeKind.String or NodeKind.Int) || !storages.TryGetValue(key.KeyText, out var known))
            throw file.Refuse("its list of storages names one that no tensor uses; the file is damaged");
        var (storage, id) = known;
        if (storage.Data is not null) throw file.Refuse($"its list of storages names '{storage.Key}' twice; the file is damaged");
        Span<byte> prefix = stackalloc byte[8];
        if (file.Length - position < prefix.Length) throw Truncated(storage);
        file.Read(position, prefix);
        position += prefix.Length;
        var count = BinaryPrimitives.ReadInt64LittleEndian(prefix);
        if (count != id.Count) throw file.Refuse($"storage '{storage.Key}' has {count:N0} elements at byte {position - 8:N0}, {id.Count:N0} were declared; the file is damaged");
        if (file.Length - position < id.ByteLength) throw Truncated(storage);
        storage.Data = new FileBytes(file, position, id.ByteLength);
        position += id.ByteLength;
    }

    private CheckpointException Truncated(Storage storage) =>
        file.Refuse($"ends at byte {file.Length:N0}, in the middle of storage '{storage.Key}'; the file was truncated, get it again");
}
