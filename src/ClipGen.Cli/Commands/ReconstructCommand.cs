using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Models;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>reconstruct</c>: pictures through the VQ-GAN and back.</summary>
internal sealed class ReconstructCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string[]> images = PictureArguments.Images();
    private readonly ModelOptions modelFiles = new(ModelKind.VqGan);
    private readonly Option<string> outFile = new("--out") { Description = "Picture to write (.png, .jpg, .webp): each original with its reconstruction on the right", Required = true };
    private readonly Option<int?> size = PictureArguments.Size();

    public override Command Create()
    {
        var command = Command("reconstruct", "Shows what a VQ-GAN makes of pictures, and how far that is from them.", Run,
            "clipgen reconstruct photo.jpg --vqgan vqgan_coco.pt --out both.png",
            "clipgen reconstruct *.png --out both.png --json");
        command.Add(images);
        foreach (var option in (Option[])[.. modelFiles.All, outFile, size]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var files = parsed.GetRequiredValue(images);
        var target = parsed.GetRequiredValue(outFile);
        OutputFiles.RequireWritable("--out", target, OutputFiles.PictureEndings);
        var paths = modelFiles.Resolve(parsed, [ModelKind.VqGan], ModelKind.Gpt);
        using var device = Common.OpenDevice(parsed);
        using var model = ModelFiles.LoadVqGan(device, paths[ModelKind.VqGan]);
        var side = PictureArguments.SizeFor(model, parsed.GetValue(size), paths.GetValueOrDefault(ModelKind.Gpt));
        PictureArguments.RequireGrid($"--out {target}", files.Length, side);

        var results = ForEachPicture(parsed, "reconstruct", files, file => PictureCodec.Reconstruct(model, PictureArguments.Load(file, side)), cancellation);
        PictureFile.Save(PictureGrid.Make([.. results.SelectMany(r => new[] { r.Original, r.Result })], 2, 2), target);
        Report(parsed, files, target, results);
        return 0;
    }

    private void Report(ParseResult parsed, string[] files, string target, List<Reconstruction> results)
    {
        if (Common.IsJson(parsed))
        {
            // JSON has no infinity: the PSNR of equal pictures is null.
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                file = target,
                pictures = results.Select((r, n) => new { image = files[n], l1 = r.L1, psnr_db = double.IsFinite(r.Psnr) ? r.Psnr : (double?)null }),
            }));
            return;
        }
        Output.WriteLine("L1      PSNR      picture");
        for (var n = 0; n < files.Length; n++)
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{results[n].L1:F4}  {results[n].Psnr,5:F2} dB  {ShownText.Of(files[n])}"));
        Output.WriteLine(target);
    }
}
