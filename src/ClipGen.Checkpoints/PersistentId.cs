namespace ClipGen.Checkpoints;

/// <summary>A persistent id of a pickle: ('storage', class, key, location, number of elements), in the legacy format with a sixth part for a part of a storage.</summary>
internal readonly record struct PersistentId(ElementType? Type, string Key, long Count, CheckpointNode? Part)
{
    /// <summary>Bytes of the whole storage; elements of untyped storages are bytes.</summary>
    public long ByteLength => Count * (Type?.ByteSize() ?? 1);

    public static PersistentId Parse(CheckpointNode node, Func<string, CheckpointException> refuse)
    {
        if (node.Kind != NodeKind.Tuple || node.Items.Count is not (5 or 6) || node.Items[0].Kind != NodeKind.String || node.Items[0].String != "storage")
            throw refuse("refers to something outside that is not a storage");
        var parts = node.Items;
        if (parts[1].Opaque is not PickleGlobal global || !PickleGlobals.IsStorageClass(global, out var type)) throw refuse("refers to a storage of an unknown class");
        if (parts[2].Kind is not (NodeKind.String or NodeKind.Int)) throw refuse("refers to a storage without a key");
        var count = PickleGlobals.Integer(parts[4], refuse);
        if (count < 0 || count > long.MaxValue / 8) throw refuse($"declares a storage of {count} elements");
        return new PersistentId(type, parts[2].KeyText, count, parts.Count == 6 && parts[5].Kind != NodeKind.None ? parts[5] : null);
    }
}
