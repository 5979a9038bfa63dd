using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Models.Pipeline;
using ClipGen.Models.Tracing;
using ClipGen.Tensors;

namespace ClipGen.Cli.Commands;

/// <summary><c>trace</c>: every activation of one run of a model.</summary>
internal sealed class TraceCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> model = new("MODEL") { Description = "Kind of model: clip, vqgan, gpt" };
    private readonly Option<string> checkpoint = new("--checkpoint") { Description = "The model", Required = true };
    private readonly Option<string> input = new("--input") { Description = "Inputs (.safetensors): clip image [N,3,H,W] or tokens [N,T]; vqgan image [N,3,H,W]; gpt codes [N,L] and embed [N,C]", Required = true };
    private readonly Option<string> outFile = new("--out") { Description = "File for the activations (.safetensors) in PyTorch's layouts, pictures [N,C,H,W] and sequences [N,T,C]; the result is `out`, a VQ-GAN's codes are `indices`", Required = true };
    private readonly Option<int?> heads = new("--heads") { Description = "Attention heads of the GPT, or of CLIP's text tower (default: width / 64)" };

    public override Command Create()
    {
        var command = Command("trace", "Runs a model and writes every intermediate activation under its module path.", Run,
            "clipgen trace gpt --checkpoint gpt_coco.pt --input in.safetensors --out activations.safetensors");
        model.AcceptOnlyFromAmong("clip", "vqgan", "gpt");
        command.Add(model);
        foreach (var option in new Option[] { checkpoint, input, outFile, heads }) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var kind = parsed.GetRequiredValue(model);
        var weights = parsed.GetRequiredValue(checkpoint);
        var target = parsed.GetRequiredValue(outFile);
        var headCount = HeadOption.Value(parsed, heads);
        if (kind == "vqgan" && headCount is not null) throw new UsageException("--heads: a VQ-GAN's attention has one head; leave the option out");
        OutputFiles.RequireWritable("--out", target, ".safetensors");
        using var file = Checkpoint.Open(parsed.GetRequiredValue(input));
        var inputs = new TraceInputs(file);
        using var device = Common.OpenDevice(parsed);
        var tensors = Run(kind, device, weights, headCount, inputs);
        cancellation.ThrowIfCancellationRequested();
        SafetensorsWriter.Write(target, [.. tensors.Select(Source)]);
        Output.WriteLine(Common.IsJson(parsed)
            ? JsonSerializer.Serialize(new { file = target, tensors = tensors.Select(tensor => new { name = tensor.Name, shape = tensor.Shape }) })
            : $"{tensors.Count} tensors: {target}");
        return 0;
    }

    private static IReadOnlyList<TracedTensor> Run(string kind, Device device, string path, int? heads, TraceInputs inputs)
    {
        switch (kind)
        {
            case "clip":
                using (var clip = ModelFiles.LoadClip(device, path, heads)) return ModelTrace.Run(clip, inputs);
            case "vqgan":
                using (var vqgan = ModelFiles.LoadVqGan(device, path)) return ModelTrace.Run(vqgan, inputs);
            default:
                using (var gpt = ModelFiles.LoadGpt(device, path, heads)) return ModelTrace.Run(gpt, inputs);
        }
    }

    private static TensorSource Source(TracedTensor tensor) => tensor.Values switch
    {
        float[] values => TensorSource.From(tensor.Name, values, [.. tensor.Shape]),
        long[] values => new TensorSource(tensor.Name, ElementType.I64, tensor.Shape, (first, bytes) => MemoryMarshal.AsBytes(values.AsSpan((int)first))[..bytes.Length].CopyTo(bytes)),
        _ => throw new ArgumentException($"tensor {tensor.Name} holds {tensor.Values.GetType().Name}"),
    };
}
