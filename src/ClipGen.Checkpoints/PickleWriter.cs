using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace ClipGen.Checkpoints;

/// <summary>Writes the <c>data.pkl</c> of a <c>.pt</c> file: protocol 2 and only what <c>torch.load(weights_only=True)</c> takes.</summary>
internal sealed class PickleWriter
{
    private const int MaxDepth = 200;
    private readonly MemoryStream output = new();
    private readonly Dictionary<TensorSource, int> keys = new(ReferenceEqualityComparer.Instance);

    /// <summary>Storages in the order of their keys.</summary>
    public List<TensorSource> Storages { get; } = [];

    public byte[] Write(PyTorchValue root)
    {
        output.WriteByte(PickleOpcodes.Proto);
        output.WriteByte(2);
        Put(root, 0);
        output.WriteByte(PickleOpcodes.Stop);
        return output.ToArray();
    }

    private void Put(PyTorchValue value, int depth)
    {
        if (depth > MaxDepth) throw new ArgumentException($"the values are nested deeper than {MaxDepth} levels");
        switch (value.Kind)
        {
            case NodeKind.None: output.WriteByte(PickleOpcodes.None); break;
            case NodeKind.Bool: output.WriteByte((bool)value.Content! ? PickleOpcodes.NewTrue : PickleOpcodes.NewFalse); break;
            case NodeKind.Int: PutInt((BigInteger)value.Content!); break;
            case NodeKind.Float: PutFloat((double)value.Content!); break;
            case NodeKind.String: PutText((string)value.Content!); break;
            case NodeKind.Bytes: PutBytes((byte[])value.Content!); break;
            case NodeKind.Tensor: PutTensor((TensorSource)value.Content!); break;
            case NodeKind.Tuple:
                output.WriteByte(PickleOpcodes.Mark);
                foreach (var item in value.Items) Put(item, depth + 1);
                output.WriteByte(PickleOpcodes.Tuple);
                break;
            case NodeKind.List:
                PutList(value.Items, depth);
                break;
            case NodeKind.Set:
                PutGlobal("__builtin__", "set");
                PutList(value.Items, depth);
                output.WriteByte(PickleOpcodes.Tuple1);
                output.WriteByte(PickleOpcodes.Reduce);
                break;
            case NodeKind.Dict:
                if (value.IsOrdered) PutEmptyOrderedDict();
                else output.WriteByte(PickleOpcodes.EmptyDict);
                if (value.Entries.Count == 0) break;
                output.WriteByte(PickleOpcodes.Mark);
                foreach (var (key, item) in value.Entries)
                {
                    Put(key, depth + 1);
                    Put(item, depth + 1);
                }
                output.WriteByte(PickleOpcodes.SetItems);
                break;
            default: throw new ArgumentException($"values of kind {value.Kind} can't be written");
        }
    }

    private void PutList(IReadOnlyList<PyTorchValue> items, int depth)
    {
        output.WriteByte(PickleOpcodes.EmptyList);
        if (items.Count == 0) return;
        output.WriteByte(PickleOpcodes.Mark);
        foreach (var item in items) Put(item, depth + 1);
        output.WriteByte(PickleOpcodes.Appends);
    }

    private void PutInt(BigInteger value)
    {
        if (value >= 0 && value <= byte.MaxValue)
        {
            output.WriteByte(PickleOpcodes.BinInt1);
            output.WriteByte((byte)value);
        }
        else if (value >= int.MinValue && value <= int.MaxValue)
        {
            output.WriteByte(PickleOpcodes.BinInt);
            PutInt32((int)value);
        }
        else
        {
            var bytes = value.ToByteArray();
            if (bytes.Length > byte.MaxValue) throw new ArgumentException($"an integer of {bytes.Length} bytes can't be written, {byte.MaxValue} are allowed");
            output.WriteByte(PickleOpcodes.Long1);
            output.WriteByte((byte)bytes.Length);
            output.Write(bytes);
        }
    }

    private void PutInt32(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        output.Write(bytes);
    }

    private void PutFloat(double value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bytes, value);
        output.WriteByte(PickleOpcodes.BinFloat);
        output.Write(bytes);
    }

    private void PutText(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        output.WriteByte(PickleOpcodes.BinUnicode);
        PutInt32(bytes.Length);
        output.Write(bytes);
    }

    // Protocol 2 has no bytes; Python writes them as text that is encoded again on reading.
    private void PutBytes(byte[] bytes)
    {
        PutGlobal("_codecs", "encode");
        PutText(Encoding.Latin1.GetString(bytes));
        PutText("latin1");
        output.WriteByte(PickleOpcodes.Tuple2);
        output.WriteByte(PickleOpcodes.Reduce);
    }

    private void PutGlobal(string module, string name)
    {
        output.WriteByte(PickleOpcodes.Global);
        output.Write(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));
    }

    private void PutEmptyOrderedDict()
    {
        PutGlobal("collections", "OrderedDict");
        output.WriteByte(PickleOpcodes.EmptyTuple);
        output.WriteByte(PickleOpcodes.Reduce);
    }

    private void PutTensor(TensorSource tensor)
    {
        if (!keys.TryGetValue(tensor, out var key))
        {
            keys[tensor] = key = Storages.Count;
            Storages.Add(tensor);
        }
        PutGlobal("torch._utils", "_rebuild_tensor_v2");
        output.WriteByte(PickleOpcodes.Mark);
        output.WriteByte(PickleOpcodes.Mark);
        PutText("storage");
        PutGlobal("torch", PickleGlobals.StorageName(tensor.Type));
        PutText(key.ToString(CultureInfo.InvariantCulture));
        PutText("cpu");
        PutInt(tensor.Count);
        output.WriteByte(PickleOpcodes.Tuple);
        output.WriteByte(PickleOpcodes.BinPersId);
        PutInt(0);
        PutSizes(tensor.Shape);
        PutSizes(TensorView.RowMajorStrides(tensor.Shape));
        output.WriteByte(PickleOpcodes.NewFalse);
        PutEmptyOrderedDict();
        output.WriteByte(PickleOpcodes.Tuple);
        output.WriteByte(PickleOpcodes.Reduce);
    }

    private void PutSizes(IReadOnlyList<long> sizes)
    {
        output.WriteByte(PickleOpcodes.Mark);
        foreach (var size in sizes) PutInt(size);
        output.WriteByte(PickleOpcodes.Tuple);
    }
}
