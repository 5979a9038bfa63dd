using System.Globalization;
using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>
/// The zip format of <c>torch.save</c> since 1.6 and of <c>torch.jit.save</c>: <c>data.pkl</c> describes the object, <c>data/KEY</c> hold
/// the storages, read in place (layout: PyTorch's caffe2/serialize/inline_container.cc and torch/serialization.py).
/// </summary>
internal sealed class PyTorchZipReader : IStorageResolver
{
    private const int MaxSmallEntry = 64;
    private const long VerifyWhenOpened = 1 << 16;
    private const int NewestKnownVersion = 10;
    private readonly CheckpointFile file;
    private readonly ZipDirectory zip;
    private readonly Dictionary<string, Storage> storages = [];

    private PyTorchZipReader(CheckpointFile file)
    {
        this.file = file;
        zip = ZipDirectory.Read(file);
        // TorchScript archives always have a tuple of constants, plain ones never.
        Format = zip.Find("constants.pkl") is null ? CheckpointFormat.PyTorchZip : CheckpointFormat.TorchScript;
    }

    public CheckpointFormat Format { get; }

    public List<string> Warnings { get; } = [];

    public static (PyTorchZipReader Reader, CheckpointNode Root, int ObjectCount) Read(CheckpointFile file)
    {
        var reader = new PyTorchZipReader(file);
        if (reader.zip.Find("data.pkl") is not { } pickle)
            throw file.Refuse($"is a zip file but not a PyTorch checkpoint: there is no '{reader.zip.Root}data.pkl'; give a file that torch.save or torch.jit.save wrote");
        reader.CheckByteOrder();
        reader.CheckVersion();
        var bytes = reader.ReadWhole(pickle, PickleReader.MaxBytes);
        var machine = new PickleReader(file, "data.pkl", new PickleInput(file, "data.pkl", new MemoryBytes(bytes), 0, bytes.Length), reader, new PickleGlobals(file, reader.Format == CheckpointFormat.TorchScript));
        var root = machine.Read();
        foreach (var storage in reader.storages.Keys)
            if (reader.zip.Find($"data/{storage}") is { Length: <= VerifyWhenOpened } entry)
                ZipDirectory.Verify(file, entry);
        return (reader, root, machine.ObjectCount);
    }

    /// <summary>Compares every entry with its checksum.</summary>
    public void Verify()
    {
        foreach (var entry in zip.Entries) ZipDirectory.Verify(file, entry);
    }

    public StorageReference Resolve(CheckpointNode node, Func<string, CheckpointException> refuse)
    {
        var id = PersistentId.Parse(node, refuse);
        if (id.Part is not null) throw refuse("refers to a part of a storage, which only the format before PyTorch 1.6 knows");
        if (zip.Find($"data/{id.Key}") is not { } entry) throw refuse($"refers to storage '{id.Key}', but there is no entry 'data/{id.Key}'; the file is damaged or incomplete, get it again");
        if (entry.Length != id.ByteLength)
            throw refuse($"declares storage '{id.Key}' as {id.Count:N0} elements, {id.ByteLength:N0} bytes, but its entry has {entry.Length:N0} bytes; the file is damaged");
        if (!storages.TryGetValue(id.Key, out var storage))
            storages[id.Key] = storage = new Storage(id.Key, storages.Count) { Data = ZipDirectory.Open(file, entry) };
        return new StorageReference(storage, id.Type, 0, id.Count);
    }

    private void CheckByteOrder()
    {
        if (zip.Find("byteorder") is not { } entry) return;
        var order = ReadSmallText(entry);
        if (order != "little") throw file.Refuse($"its data is declared as '{order}'-endian, only little-endian data is read; save it again on a little-endian machine");
    }

    private void CheckVersion()
    {
        if ((zip.Find("version") ?? zip.Find(".data/version")) is not { } entry) return;
        var text = ReadSmallText(entry);
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) || version < 1)
            throw file.Refuse($"its format version is '{text}', expected a number from 1 on; the file is damaged");
        if (version > NewestKnownVersion) Warnings.Add($"{file.Path}: format version {version} is newer than {NewestKnownVersion}, the last known one; the content may be incomplete");
    }

    private string ReadSmallText(ZipEntry entry) => Encoding.Latin1.GetString(ReadWhole(entry, MaxSmallEntry)).Trim();

    private byte[] ReadWhole(ZipEntry entry, int limit)
    {
        if (entry.Length > limit) throw file.Refuse($"entry '{entry.Name}' has {entry.Length:N0} bytes, more than {limit:N0} are not read; this is no checkpoint of tensors");
        var bytes = new byte[entry.Length];
        ZipDirectory.Open(file, entry).Read(0, bytes);
        if (entry.Crc != 0 && Crc32.Of(bytes) is var crc && crc != entry.Crc)
            throw file.Refuse($"entry '{entry.Name}' has the checksum {crc:x8}, its directory says {entry.Crc:x8}; the file is damaged, get it again");
        return bytes;
    }
}
