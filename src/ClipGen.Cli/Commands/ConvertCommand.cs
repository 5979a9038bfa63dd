using System.CommandLine;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Models;

namespace ClipGen.Cli.Commands;

/// <summary><c>convert</c>: checkpoints between PyTorch's format and safetensors.</summary>
internal sealed class ConvertCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> source = new("IN") { Description = "Checkpoint, told by its content" };
    private readonly Argument<string> target = new("OUT") { Description = "File to write (.safetensors, .pt)" };
    private readonly Option<string?> dtype = new("--dtype") { Description = "Round the model's floats: f32, f16, bf16; optimiser state stays as it is" };
    private readonly Option<bool> half = new("--half") { Description = "The same as --dtype f16" };
    private readonly Option<bool> weightsOnly = new("--weights-only") { Description = "Only the model with its configuration and vocabulary; without optimiser state, numbers of the run, and a VQ-GAN's discriminator" };
    private readonly Option<bool> keepDiscriminator = new("--keep-discriminator") { Description = "With --weights-only, keep a VQ-GAN's discriminator" };

    public override Command Create()
    {
        var command = Command("convert", "Writes a checkpoint in another format or precision, nested names joined by dots.", Run,
            "clipgen convert gpt_coco.pt gpt_coco.safetensors --half",
            "clipgen convert output/gpt/best.pt gpt.safetensors --half --weights-only",
            "clipgen convert model.safetensors model.pt");
        command.Add(source);
        command.Add(target);
        foreach (var option in (Option[])[dtype, half, weightsOnly, keepDiscriminator]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var from = parsed.GetRequiredValue(source);
        var to = parsed.GetRequiredValue(target);
        var settings = new ConversionSettings { Type = Type(parsed), WeightsOnly = parsed.GetValue(weightsOnly), KeepDiscriminator = parsed.GetValue(keepDiscriminator) };
        if (settings.KeepDiscriminator && !settings.WeightsOnly) throw new UsageException("--keep-discriminator: only --weights-only leaves it out; leave the option out too");
        OutputFiles.RequireOther("OUT", to, from, ".safetensors", ".pt");
        using var checkpoint = Checkpoint.Open(from);
        foreach (var warning in checkpoint.Warnings) Warn(parsed, $"{checkpoint.Path}: {ShownText.Of(warning)}");
        var tensors = CheckpointConversion.Convert(checkpoint, to, settings);
        var bytes = new FileInfo(to).Length;
        Output.WriteLine(Common.IsJson(parsed) ? JsonSerializer.Serialize(new { file = to, tensors, bytes }) : FormattableString.Invariant($"{tensors:N0} tensors, {bytes:N0} bytes: {to}"));
        return 0;
    }

    private ElementType? Type(ParseResult parsed)
    {
        ElementType? named = parsed.GetValue(dtype) switch
        {
            null => null,
            "f32" => ElementType.F32,
            "f16" => ElementType.F16,
            "bf16" => ElementType.BF16,
            var other => throw new UsageException($"--dtype {ShownText.Of(other)}: expected f32, f16 or bf16"),
        };
        if (!parsed.GetValue(half)) return named;
        return named is null or ElementType.F16 ? ElementType.F16 : throw new UsageException($"--half: says f16, --dtype says {parsed.GetValue(dtype)}; give one of them");
    }
}
