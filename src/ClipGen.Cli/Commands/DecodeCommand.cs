using System.CommandLine;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Models;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>decode</c>: code grids -> pictures.</summary>
internal sealed class DecodeCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private const int PerRow = 4;
    private readonly Argument<string> codes = new("CODES") { Description = "File of codes, as `encode` writes it" };
    private readonly ModelOptions modelFiles = new(ModelKind.VqGan);
    private readonly Option<string> outFile = new("--out") { Description = "Picture to write (.png, .jpg, .webp); several pictures become a grid, 4 per row", Required = true };

    public override Command Create()
    {
        var command = Command("decode", "Makes pictures of grids of a VQ-GAN's codes.", Run, "clipgen decode codes.json --vqgan vqgan_coco.pt --out picture.png");
        command.Add(codes);
        foreach (var option in (Option[])[.. modelFiles.All, outFile]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var source = parsed.GetRequiredValue(codes);
        var target = parsed.GetRequiredValue(outFile);
        OutputFiles.RequireWritable("--out", target, OutputFiles.PictureEndings);
        var checkpoint = modelFiles.Resolve(parsed, [ModelKind.VqGan])[ModelKind.VqGan];
        using var device = Common.OpenDevice(parsed);
        using var model = ModelFiles.LoadVqGan(device, checkpoint);
        var grids = CodesFile.Read(source, model.Codes);
        PictureArguments.RequireGrid(source, (grids.Length + PerRow - 1) / PerRow, grids[0].Length * model.Factor);

        var pictures = ForEachPicture(parsed, "decode", grids, grid => PictureCodec.Decode(model, grid), cancellation);
        PictureFile.Save(PictureGrid.Make(pictures, PerRow, 2), target);
        Output.WriteLine(Common.IsJson(parsed)
            ? JsonSerializer.Serialize(new { file = target, images = pictures.Count, width = pictures[0].Width, height = pictures[0].Height })
            : $"{pictures.Count} of {pictures[0].Width} x {pictures[0].Height}: {target}");
        return 0;
    }
}
