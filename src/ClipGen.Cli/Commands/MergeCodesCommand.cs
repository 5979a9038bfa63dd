using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Checkpoints;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Pipeline;
using ClipGen.Models.VqGan;

namespace ClipGen.Cli.Commands;

/// <summary><c>merge-codes</c>: a VQ-GAN whose codes that look alike have become one.</summary>
internal sealed class MergeCodesCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> source = new("IN") { Description = "VQ-GAN checkpoint, told by its content" };
    private readonly Argument<string> target = new("OUT") { Description = "File to write (.safetensors, .pt): the model alone, without optimiser state" };
    private readonly Option<string> dataset = new("--ds") { Description = "Pictures to judge by, those that it was trained on: a folder, a text file with a path a line, records (.ffr, .tar), coco, imagenet, googlecc, or shapes", Required = true };
    private readonly NamedDatasetOption dataRoot = new();
    private readonly Option<int> codes = new("--codes") { Description = "Codes to keep", Required = true };
    private readonly Option<int> count = new("--count") { Description = "Pictures at most, the first ones", DefaultValueFactory = _ => 4096 };
    private readonly Option<int?> size = new("--size") { Description = $"Side of the square that is cut out of each picture, in pixels; by default {PictureCodec.ReleasedSize}, or {ShapeRenderer.Side} for --ds shapes" };

    public override Command Create()
    {
        var command = Command("merge-codes", "Makes a VQ-GAN's codebook smaller by uniting codes whose squares look alike, so that a GPT has less to guess that nobody sees.", Run,
            "clipgen merge-codes output/vqgan/shapes/best.pt vqgan-512.safetensors --ds shapes --size 64 --codes 512",
            "clipgen merge-codes vqgan_coco.pt vqgan-8192.safetensors --ds photos --codes 8192");
        command.Add(source);
        command.Add(target);
        foreach (var option in (Option[])[dataset, dataRoot.Option, codes, count, size]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (from, to, kept, most) = (parsed.GetRequiredValue(source), parsed.GetRequiredValue(target), parsed.GetRequiredValue(codes), parsed.GetValue(count));
        if (kept < 1) throw new UsageException($"--codes {kept}: must be at least 1");
        if (most < 1) throw new UsageException($"--count {most}: must be at least 1");
        OutputFiles.RequireOther("OUT", to, from, ".safetensors", ".pt");
        var name = parsed.GetRequiredValue(dataset);
        var pictures = dataRoot.Open(parsed, "--ds", name)?.Train ?? PictureDatasets.Open(name, Common.Seed(parsed), most);
        using var device = Common.OpenDevice(parsed);
        using var model = ModelFiles.LoadVqGan(device, from);
        if (kept >= model.Codes) throw new UsageException($"--codes {kept}: {from} has {model.Codes:N0} codes; keep fewer");
        var side = PictureArguments.SizeFor(model, parsed.GetValue(size) ?? (name == PictureDatasets.Shapes ? ShapeRenderer.Side : null), null);
        var total = Math.Min(most, pictures.Count);
        MergedCodebook merged;
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            merged = CodebookMerging.Run(model, PictureArguments.Prepared(pictures, total, side), total, kept, EvalCommands.Following(line), cancellation);
            line.End();
        }
        using (var checkpoint = Checkpoint.Open(from))
        {
            var table = TensorSource.From(VqGanModel.CodebookName, merged.Vectors, merged.Codes, model.CodeSize);
            CheckpointConversion.Convert(checkpoint, to, new ConversionSettings { WeightsOnly = true, KeepDiscriminator = true, Replaced = table });
        }
        Output.WriteLine(Common.IsJson(parsed)
            ? JsonSerializer.Serialize(new { file = to, pictures = total, codes = merged.Codes, former_codes = model.Codes, former_used = merged.Used, former_entropy_nats = merged.Former, entropy_nats = merged.Merged })
            : string.Create(CultureInfo.InvariantCulture, $"{model.Codes:N0} codes, {merged.Used:N0} of them in use over {total:N0} pictures, {merged.Former:F2} nats a code; now {merged.Codes:N0}, {merged.Merged:F2} nats: {to}"));
        return 0;
    }
}
