using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Data.Datasets;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Lpips;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>eval reconstruction</c>: what a VQ-GAN loses of a dataset's pictures.</summary>
internal sealed class EvalReconstructionCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly ModelOptions modelFiles = new(ModelKind.VqGan);
    private readonly Option<string> dataset = new("--ds") { Description = "Folder of pictures, text file with a path a line, records (.ffr, .tar), coco, imagenet, googlecc (their validation pictures), or shapes for unseen scenes of the synthetic world", Required = true };
    private readonly NamedDatasetOption dataRoot = new();
    private readonly Option<string?> lpips = new("--lpips") { Description = "VGG16 LPIPS checkpoint, for the perceptual distance" };
    private readonly Option<int> count = new("--count") { Description = "Pictures at most, the first ones", DefaultValueFactory = _ => 1000 };
    private readonly Option<int?> size = PictureArguments.Size();

    public override Command Create()
    {
        var command = Command("reconstruction", "Reconstructs a dataset's pictures with a VQ-GAN: L1, PSNR, LPIPS, share of codes used.", Run,
            "clipgen eval reconstruction --vqgan vqgan_coco.pt --ds photos --lpips vgg16_lpips.pt",
            "clipgen eval reconstruction --model shapes --ds shapes --json");
        foreach (var option in (Option[])[.. modelFiles.All, dataset, dataRoot.Option, lpips, count, size]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var most = parsed.GetValue(count);
        if (most < 1) throw new UsageException($"--count {most}: must be at least 1");
        var name = parsed.GetRequiredValue(dataset);
        var pictures = dataRoot.Open(parsed, "--ds", name) is { } split ? split.Validation ?? split.Train
            : name == PictureDatasets.Shapes ? new ShapesDataset(Common.Seed(parsed), ShapesSplit.Validation, most) : PictureDatasets.Open(name);
        var paths = modelFiles.Resolve(parsed, [ModelKind.VqGan], ModelKind.Gpt);
        using var device = Common.OpenDevice(parsed);
        using var distance = parsed.GetValue(lpips) is { } file ? ModelFiles.LoadLpips(device, file) : null;
        using var model = ModelFiles.LoadVqGan(device, paths[ModelKind.VqGan]);
        var side = PictureArguments.SizeFor(model, parsed.GetValue(size), paths.GetValueOrDefault(ModelKind.Gpt));
        if (distance is not null && side < LpipsModel.SmallestSide) throw new UsageException($"--size {side}: LPIPS takes pictures of at least {LpipsModel.SmallestSide} pixels");

        var total = Math.Min(most, pictures.Count);
        ReconstructionReport report;
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            report = ReconstructionEvaluation.Run(model, distance, PictureArguments.Prepared(pictures, total, side), total, EvalCommands.Following(line), cancellation);
            line.End();
        }
        // JSON has no infinity: the PSNR of equal pictures is null.
        Output.WriteLine(Common.IsJson(parsed)
            ? JsonSerializer.Serialize(new { pictures = report.Pictures, size = side, l1 = report.L1, psnr_db = double.IsFinite(report.Psnr) ? report.Psnr : (double?)null, lpips = report.Lpips, codes_used = report.CodesUsed, codes = report.Codes })
            : string.Create(CultureInfo.InvariantCulture, $"{report.Pictures:N0} pictures of {side} x {side}: L1 {report.L1:F4}, PSNR {report.Psnr:F2} dB{(report.Lpips is { } value ? string.Create(CultureInfo.InvariantCulture, $", LPIPS {value:F4}") : "")}, {report.CodesUsed:N0} of {report.Codes:N0} codes used"));
        return 0;
    }
}
