using System.CommandLine;
using System.Text.Json;
using ClipGen.Models;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>encode</c>: pictures -> code grids.</summary>
internal sealed class EncodeCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string[]> images = PictureArguments.Images();
    private readonly ModelOptions modelFiles = new(ModelKind.VqGan);
    private readonly Option<string> outFile = new("--out") { Description = "File of codes to write (.json): {\"codes\": images x rows x columns}", Required = true };
    private readonly Option<int?> size = PictureArguments.Size();

    public override Command Create()
    {
        var command = Command("encode", "Writes pictures as grids of a VQ-GAN's codes.", Run,
            "clipgen encode photo.jpg --vqgan vqgan_coco.pt --out codes.json",
            "clipgen encode *.png --out codes.json");
        command.Add(images);
        foreach (var option in (Option[])[.. modelFiles.All, outFile, size]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var files = parsed.GetRequiredValue(images);
        var target = parsed.GetRequiredValue(outFile);
        OutputFiles.RequireWritable("--out", target, ".json");
        var paths = modelFiles.Resolve(parsed, [ModelKind.VqGan], ModelKind.Gpt);
        using var device = Common.OpenDevice(parsed);
        using var model = ModelFiles.LoadVqGan(device, paths[ModelKind.VqGan]);
        var side = PictureArguments.SizeFor(model, parsed.GetValue(size), paths.GetValueOrDefault(ModelKind.Gpt));

        var grids = ForEachPicture(parsed, "encode", files, file => PictureCodec.Encode(model, PictureArguments.Load(file, side)), cancellation);
        CodesFile.Write("--out", target, grids);
        int rows = grids[0].Length, columns = grids[0][0].Length;
        Output.WriteLine(Common.IsJson(parsed)
            ? JsonSerializer.Serialize(new { file = target, images = grids.Count, rows, columns, codebook = model.Codes })
            : $"{grids.Count} x {rows} x {columns} codes of {model.Codes}: {target}");
        return 0;
    }
}
