using System.Globalization;
using System.Text;
using ClipGen.Files;

namespace ClipGen.Checkpoints;

/// <summary>
/// Writes <c>.pt</c> files that <c>torch.load(weights_only=True)</c> reads: the zip layout of PyTorch's current <c>torch.save</c>
/// (torch/serialization.py, caffe2/serialize/inline_container.cc). Tensors go through in pieces of a megabyte, whatever their size.
/// </summary>
public static class PyTorchWriter
{
    private const string Root = "archive/";

    /// <summary>Writes a bare state dict.</summary>
    /// <exception cref="ArgumentException">Two tensors have the same name, or a shape is impossible.</exception>
    /// <exception cref="CheckpointException">The place can't be written.</exception>
    public static void Write(string path, IReadOnlyList<TensorSource> stateDict)
    {
        ArgumentNullException.ThrowIfNull(stateDict);
        Write(path, PyTorchValue.StateDict(stateDict));
    }

    /// <summary>Writes any object, such as a dict of a state dict under "model", optimiser state, and numbers under "epoch" and "val_loss".</summary>
    /// <exception cref="ArgumentException">The values are nested too deeply, or an integer is too long.</exception>
    /// <exception cref="CheckpointException">The place can't be written.</exception>
    public static void Write(string path, PyTorchValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var pickle = new PickleWriter();
        var description = pickle.Write(value);
        if (description.Length > PickleReader.MaxBytes) throw new CheckpointException(path, $"can't be written: its description would take {description.Length:N0} bytes, {PickleReader.MaxBytes:N0} are read back");
        AtomicFile.Write(path, stream =>
        {
            var zip = new ZipWriter(stream);
            var names = new StringBuilder();
            void Text(string name, string text) => zip.Add(Root + name, Encoding.ASCII.GetBytes(text));
            zip.Add(Root + "data.pkl", description);
            Text(".format_version", "1");
            Text(".storage_alignment", "64");
            Text("byteorder", "little");
            var keys = Enumerable.Range(0, pickle.Storages.Count).Select(key => key.ToString(CultureInfo.InvariantCulture)).ToArray();
            foreach (var key in keys.Order(StringComparer.Ordinal))
            {
                var tensor = pickle.Storages[int.Parse(key, CultureInfo.InvariantCulture)];
                zip.Add($"{Root}data/{key}", tensor.ByteLength, tensor.ForPieces);
                names.Append(key).Append('/');
            }
            Text("version", "3\n");
            // Twenty digits for the names and twenty for the data, so that equal content has an equal id.
            Text(".data/serialization_id", $"{NameHash(names.ToString()):D20}{zip.DataHash:D20}");
            zip.Finish();
        }, (reason, cause) => new CheckpointException(path, $"can't be written: {reason}", cause));
    }

    private static ulong NameHash(string names)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var c in names) hash = (hash ^ c) * 0x100000001B3;
        return hash;
    }
}
