using System.CommandLine;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Models;

namespace ClipGen.Cli.Commands;

/// <summary><c>inspect</c>: what a checkpoint holds.</summary>
internal sealed class InspectCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> file = new("FILE") { Description = "A file of PyTorch (zip, the older format, TorchScript) or safetensors, told by its content" };

    public override Command Create()
    {
        var command = Command("inspect", "Lists what a checkpoint holds; nothing in it is executed.", Run,
            "clipgen inspect vqgan_coco.pt",
            "clipgen inspect --json gpt_coco.pt");
        command.Add(file);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var checkpoint = Checkpoint.Open(parsed.GetRequiredValue(file));
        foreach (var warning in checkpoint.Warnings) Warn(parsed, $"{checkpoint.Path}: {ShownText.Of(warning)}");
        if (Common.IsJson(parsed)) Output.WriteLine(Json(checkpoint));
        else Table(checkpoint);
        return 0;
    }

    private void Table(Checkpoint checkpoint)
    {
        var rows = checkpoint.Tensors.Select(tensor => (Name: tensor.Name.Length == 0 ? "(the file is one tensor)" : ShownText.Of(tensor.Name), Type: tensor.Type.ToText(), Shape: $"[{string.Join(", ", tensor.Shape)}]")).ToList();
        var width = rows.Select(row => row.Name.Length).DefaultIfEmpty(0).Max();
        foreach (var (name, type, shape) in rows) Output.WriteLine($"{name.PadRight(width)}  {type,-4}  {shape}");
        foreach (var (name, value) in checkpoint.Values) Output.WriteLine($"{ShownText.Of(name)} = {Shown(value)}");
        var elements = checkpoint.Tensors.Aggregate(BigInteger.Zero, (sum, tensor) => sum + tensor.Count);
        var bytes = checkpoint.Tensors.Aggregate(BigInteger.Zero, (sum, tensor) => sum + (BigInteger)tensor.Count * tensor.Type.ByteSize());
        Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{checkpoint.Tensors.Count:N0} {(checkpoint.Tensors.Count == 1 ? "tensor" : "tensors")}, {elements:N0} elements, {bytes:N0} bytes; {checkpoint.Values.Count:N0} {(checkpoint.Values.Count == 1 ? "value" : "values")}"));
        Output.WriteLine($"format {Name(checkpoint.Format)}, model: {CheckpointWeights.Recognise(checkpoint)?.Describe() ?? "none that is known here"}");
    }

    private static string Json(Checkpoint checkpoint)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("format", Name(checkpoint.Format));
            json.WriteStartArray("tensors");
            foreach (var tensor in checkpoint.Tensors)
            {
                json.WriteStartObject();
                json.WriteString("name", tensor.Name);
                json.WriteString("dtype", tensor.Type.ToText());
                json.WriteStartArray("shape");
                foreach (var axis in tensor.Shape) json.WriteNumberValue(axis);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartObject("values");
            foreach (var (name, value) in checkpoint.Values)
            {
                json.WritePropertyName(name);
                Write(json, value);
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case BigInteger integer:
                json.WriteRawValue(integer.ToString(CultureInfo.InvariantCulture));
                break;
            // JSON has no numbers for these three.
            case double number when !double.IsFinite(number):
                json.WriteStringValue(Shown(number));
                break;
            case double number:
                json.WriteNumberValue(number);
                break;
            case byte[] bytes:
                json.WriteBase64StringValue(bytes);
                break;
            default:
                json.WriteStringValue(value.ToString());
                break;
        }
    }

    private static string Shown(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        double.PositiveInfinity => "inf",
        double.NegativeInfinity => "-inf",
        double.NaN => "nan",
        double number => number.ToString(CultureInfo.InvariantCulture),
        BigInteger integer => integer.ToString(CultureInfo.InvariantCulture),
        byte[] bytes => $"{bytes.Length} bytes",
        _ => $"\"{ShownText.Of(value.ToString() ?? "")}\"",
    };

    private static string Name(CheckpointFormat format) => format switch
    {
        CheckpointFormat.Safetensors => "safetensors",
        CheckpointFormat.PyTorchZip => "pytorch-zip",
        CheckpointFormat.PyTorchLegacy => "pytorch-legacy",
        CheckpointFormat.TorchScript => "torchscript",
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "unknown format"),
    };
}
