using System.Numerics;

namespace ClipGen.Checkpoints;

/// <summary>
/// A checkpoint file, open for reading: PyTorch's zip, legacy and TorchScript files, and safetensors. Opening reads the description of the
/// content; tensors stay in the file. Nothing in a file is ever executed, and what it claims is checked before it is believed.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private readonly CheckpointFile file;
    private readonly List<CheckpointFile> shards;
    private readonly PyTorchZipReader? zip;
    private readonly Dictionary<string, CheckpointTensor> byName;

    private Checkpoint(CheckpointFile file, List<CheckpointFile> shards)
    {
        (this.file, this.shards) = (file, shards);
        List<KeyValuePair<string, string>> metadata = [];
        int objects;
        var whole = SafetensorsIndex.Read(file, shards);
        Format = whole is null ? FileKind.Recognize(file) : CheckpointFormat.Safetensors;
        switch (Format)
        {
            case CheckpointFormat.Safetensors when whole is not null:
                Root = whole;
                objects = Root.ChildCount;
                break;
            case CheckpointFormat.Safetensors:
                (Root, metadata) = SafetensorsReader.Read(file);
                objects = Root.ChildCount;
                break;
            case CheckpointFormat.PyTorchLegacy:
                (Root, objects) = PyTorchLegacyReader.Read(file);
                break;
            default:
                (zip, Root, objects) = PyTorchZipReader.Read(file);
                Format = zip.Format;
                Warnings = zip.Warnings;
                break;
        }
        var walk = new TreeWalk(file, objects);
        walk.Run(Root);
        foreach (var (key, value) in metadata)
            if (!walk.Values.TryAdd($"__metadata__.{key}", value))
                throw file.Refuse($"metadata '{key}' is there twice");
        Tensors = walk.Tensors;
        Values = walk.Values;
        byName = walk.ByName;
    }

    /// <summary>The file, as it was given.</summary>
    public string Path => file.Path;

    /// <summary>The container, recognised by content.</summary>
    public CheckpointFormat Format { get; }

    /// <summary>The object tree. For safetensors: a dict of tensors.</summary>
    public CheckpointNode Root { get; }

    /// <summary>Every tensor of the tree, in order, under its dotted name: list positions and integer keys are numbers.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>
    /// Every other leaf, under its dotted name: <see cref="BigInteger"/> for integers, double, bool, string, byte[], or null for None.
    /// Metadata of safetensors is under <c>__metadata__.key</c>.
    /// </summary>
    public IReadOnlyDictionary<string, object?> Values { get; }

    /// <summary>Oddities that did not keep the file from being read, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; } = [];

    /// <summary>Opens a checkpoint; the format is recognised by content, whatever the file's name. The index of several safetensors files opens all of them as one.</summary>
    /// <exception cref="CheckpointException">The file is missing, can't be read, is something else, or is damaged; the message says which and what to do.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var file = CheckpointFile.Open(path);
        List<CheckpointFile> shards = [];
        try
        {
            return new Checkpoint(file, shards);
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that dotted name, or null.</summary>
    public CheckpointTensor? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Value of an integer leaf that fits 64 bits, or null if there is none.</summary>
    public long? FindInteger(string name) =>
        Values.TryGetValue(name, out var value) && value is BigInteger integer && integer >= long.MinValue && integer <= long.MaxValue ? (long)integer : null;

    /// <summary>Value of a float or integer leaf, or null if there is none.</summary>
    public double? FindNumber(string name) => Values.GetValueOrDefault(name) switch
    {
        double value => value,
        BigInteger value => (double)value,
        _ => null,
    };

    /// <summary>
    /// Reads all data once and compares it with the checksums in the file (zip formats only; the others have none).
    /// Opening checks the description and the small storages.
    /// </summary>
    /// <exception cref="CheckpointException">An entry differs from its checksum.</exception>
    public void Verify() => zip?.Verify();

    /// <summary>Closes the file; its tensors can't be read any more.</summary>
    public void Dispose()
    {
        shards.ForEach(shard => shard.Dispose());
        file.Dispose();
    }
}
