using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Cli.Explaining;
using ClipGen.Models;
using ClipGen.Models.Explaining;
using ClipGen.Tensors.Nn;

namespace ClipGen.Cli.Commands;

/// <summary><c>explain</c>: what a model consists of.</summary>
internal sealed class ExplainCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string> model = new("MODEL") { Description = "Kind of model: clip, vqgan, gpt, lpips" };
    private readonly Option<string?> checkpoint = new("--checkpoint") { Description = "The model (default: the released one's sizes with computed weights)" };
    private readonly Option<int> batch = new("--batch") { Description = "Pictures, texts or sequences of one run", DefaultValueFactory = _ => 1 };
    private readonly Option<int> size = new("--size") { Description = "Side of the pictures of a VQ-GAN or of LPIPS", DefaultValueFactory = _ => 256 };
    private readonly Option<int> depth = new("--depth") { Description = "Levels of modules to print; the page has all", DefaultValueFactory = _ => 2 };
    private readonly Option<string?> page = new("--html") { Description = "Page to write, with all modules and their sources (.html)" };
    private readonly Option<int?> heads = new("--heads") { Description = "Attention heads of the GPT, or of CLIP's text tower (default: what the checkpoint says, else width / 64)" };

    public override Command Create()
    {
        var command = Command("explain", "Shows what a model consists of: its modules with shapes in and out, parameters, operations, activations, share of the time, and where each is written.", Run,
            "clipgen explain gpt", "clipgen explain vqgan --checkpoint pretrained/shapes-vqgan.safetensors --size 64 --html vqgan.html");
        model.AcceptOnlyFromAmong("clip", "vqgan", "gpt", "lpips");
        command.Add(model);
        foreach (var option in new Option[] { checkpoint, batch, size, depth, page, heads }) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var kind = parsed.GetRequiredValue(model) switch { "clip" => ModelKind.Clip, "vqgan" => ModelKind.VqGan, "gpt" => ModelKind.Gpt, _ => ModelKind.Lpips };
        var count = parsed.GetValue(batch) is >= 1 and <= 4096 and var given ? given : throw new UsageException($"--batch {parsed.GetValue(batch)}: must be between 1 and 4096");
        var side = parsed.GetValue(size) is >= 16 and <= 4096 and var pixels ? pixels : throw new UsageException($"--size {parsed.GetValue(size)}: must be between 16 and 4096");
        var levels = parsed.GetValue(depth) is >= 0 and var most ? most : throw new UsageException($"--depth {parsed.GetValue(depth)}: must be 0 or more");
        var headCount = HeadOption.Value(parsed, heads);
        if (parsed.GetValue(page) is { } wanted) OutputFiles.RequireWritable("--html", wanted, ".html");
        using var device = Common.OpenDevice(parsed);
        var path = parsed.GetValue(checkpoint);
        using var file = path is null ? null : CheckpointWeights.Open(path, kind);
        IWeightSource weights = file is not null ? file : Released(kind);
        var explanation = ModelExplanation.Make(device.Backend, weights, kind, headCount, count, side);
        cancellation.ThrowIfCancellationRequested();
        var title = $"{kind.Describe()}, {(path is null ? "sizes of the released one, computed weights" : ShownText.Of(path))}";
        if (parsed.GetValue(page) is { } target) OutputFiles.WriteText("--html", target, ModelPage.Render(title, explanation, device.Name, target));
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                model = kind.ToString().ToLowerInvariant(),
                checkpoint = path,
                device = device.Name,
                batch = count,
                seconds = explanation.Seconds,
                peak_bytes = explanation.PeakBytes,
                modules = explanation.Modules.Select(line => new { path = line.Path, depth = line.Depth, type = line.Type.Name, source = ModelPage.SourceOf(line.Type), input = line.Input?.Axes.ToArray(), output = line.Output?.Axes.ToArray(), parameters = line.Parameters, flops = line.Flops, activation_bytes = line.ActivationBytes, seconds = line.Seconds }),
            }));
            return 0;
        }
        Output.WriteLine($"{title}: {explanation.Modules[0].Parameters.ToString("N0", CultureInfo.InvariantCulture)} parameters, one run of {count} takes {MeasuredText.Time(explanation.Seconds)} on {device.Name}, at most {MeasuredText.Bytes(explanation.PeakBytes)} in use");
        Output.WriteLine();
        Output.WriteLine($"{"module",-44} {"class",-14} {"in",-20} {"out",-20} {"parameters",12} {"GFLOP",8} {"time",6}");
        foreach (var line in explanation.Modules.Where(line => line.Depth <= levels))
            Output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{new string(' ', 2 * line.Depth) + (line.Path.Length == 0 ? parsed.GetRequiredValue(model) : line.Path),-44} {line.Type.Name,-14} {line.Input,-20} {line.Output,-20} {line.Parameters,12:N0} {line.Flops / 1e9,8:F3} {line.Seconds / explanation.Seconds,6:P0}").TrimEnd());
        var hidden = explanation.Modules.Count(line => line.Depth > levels);
        if (hidden > 0) Output.WriteLine($"({hidden} modules deeper inside: --depth)");
        if (parsed.GetValue(page) is { } written) Output.WriteLine(written);
        return 0;
    }

    private static ComputedWeights Released(ModelKind kind) => kind switch
    {
        ModelKind.Clip => new ComputedWeights("clip", ReleasedModels.ClipVitB32),
        ModelKind.VqGan => new ComputedWeights("vqgan", ReleasedModels.VqGanCoco),
        ModelKind.Gpt => new ComputedWeights("gpt2_medium", ReleasedModels.GptMedium),
        _ => new ComputedWeights("vgg16_lpips", ReleasedModels.Vgg16Lpips),
    };
}
