using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Data.Shapes;
using ClipGen.Models;
using ClipGen.Models.Evaluation;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>eval shapes</c>: how often pictures show what prompts of the synthetic world ask for.</summary>
internal sealed class EvalShapesCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private const int PerRow = 8;
    private readonly ModelOptions modelFiles = new(ModelKind.Clip, ModelKind.VqGan, ModelKind.Gpt);
    private readonly Option<string?> vocabulary = new("--vocab") { Description = "CLIP's merges file, for a CLIP checkpoint without a vocabulary of its own" };
    private readonly Option<int> prompts = new("--prompts") { Description = "Prompts of each of the four groups", DefaultValueFactory = _ => 500 };
    private readonly Option<int> candidates = new("--candidates") { Description = "Pictures per prompt; CLIP chooses the best", DefaultValueFactory = _ => 16 };
    private readonly Option<int> batch = new("--batch") { Description = "Pictures sampled together, of several prompts; does not change them", DefaultValueFactory = _ => 128 };
    private readonly Option<int?> topK = new("--top-k") { Description = "As for generate" };
    private readonly Option<float?> topP = new("--top-p") { Description = "As for generate" };
    private readonly Option<float> temperature = new("--temperature") { Description = "As for generate", DefaultValueFactory = _ => 1f };
    private readonly Option<float?> guidance = new("--guidance") { Description = "As for generate" };
    private readonly Option<string?> outFolder = new("--out") { Description = "Folder for a sheet of pictures per group and captions.txt with captions and verdicts" };

    public override Command Create()
    {
        var command = Command("shapes", "Judges generated pictures of the synthetic world with a detector that knows no model.", Run,
            "clipgen eval shapes --model shapes",
            "clipgen eval shapes --clip output/clip/best.pt --vqgan output/vqgan/best.pt --gpt output/gpt/best.pt --prompts 100 --out output/eval --json");
        foreach (var option in (Option[])[.. modelFiles.All, vocabulary, prompts, candidates, batch, topK, topP, temperature, guidance, outFolder]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var settings = new GenerationSettings
        {
            Candidates = parsed.GetValue(candidates),
            Keep = 1,
            Batch = parsed.GetValue(batch),
            TopK = parsed.GetValue(topK),
            TopP = parsed.GetValue(topP),
            Temperature = parsed.GetValue(temperature),
            Guidance = parsed.GetValue(guidance),
            Seed = Common.Seed(parsed),
        };
        settings.Validate();
        if (parsed.GetValue(outFolder) is { } folder) OutputFiles.RequireFolder("--out", folder);
        var paths = modelFiles.Resolve(parsed, [ModelKind.Clip, ModelKind.VqGan, ModelKind.Gpt]);
        var tokenizer = KnownFiles.Tokenizer(parsed.GetValue(vocabulary), paths[ModelKind.Clip]);
        using var device = Common.OpenDevice(parsed);
        using var models = PipelineModels.FromFiles(device, paths[ModelKind.Clip], paths[ModelKind.Gpt], paths[ModelKind.VqGan]);
        settings = settings.For(models.GptConfig);
        ShapesReport report;
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            report = new ShapesEvaluation(models, tokenizer).Run(parsed.GetValue(prompts), settings, EvalCommands.Following(line), cancellation);
            line.End();
        }
        if (parsed.GetValue(outFolder) is { } target) SaveSheets(target, report);
        if (Common.IsJson(parsed)) Output.WriteLine(Json(settings, report));
        else Table(settings, report);
        return 0;
    }

    private void Table(GenerationSettings settings, ShapesReport report)
    {
        Output.WriteLine($"detector: {report.Detector.Right} of {report.Detector.Count} fresh scenes read right ({Percent(report.Detector)} %)");
        Output.WriteLine($"{"prompts",-22}{"candidate",-12}{"count",7}{"all right",11}{"95 % interval",16}{"shape",8}{"colour",8}{"size",8}{"relation",10}{"background",12}");
        foreach (var group in report.Groups)
        {
            Row(group.Name, $"best of {settings.Candidates}", group.Best);
            if (settings.Candidates > 1)
            {
                Row("", "first", group.First);
                var (low, high) = group.Any.Interval;
                Output.WriteLine(Invariant($"{"",-22}{"any",-12}{group.Any.Count,7}{Percent(group.Any),11}{$"{Percent(low)} to {Percent(high)}",16}"));
            }
            Row("", "of picture", group.FromPicture);
        }
        var gap = report.Gap;
        Output.WriteLine(Invariant($"embeddings of {gap.Pairs} scenes: cosine of text and picture {gap.Matching:F4}, of others {gap.Mismatching:F4}; distance of the means {gap.MeanDistance:F4}; {Percent(gap.Retrieval)} % of the texts find their picture"));
        var hard = report.HardNegatives;
        Output.WriteLine(Invariant($"of {ShapesWorld.LargestFamily} sentences that differ in one thing, the right one is nearest to {Percent(hard.OneObject)} % of {hard.OneObject.Count} pictures of one object and {Percent(hard.TwoObjects)} % of {hard.TwoObjects.Count} of two; of {ShapesWorld.LargestFamily} arrangements of the same two, to {Percent(hard.Arrangements)} %"));
        var r = report.Reconstruction;
        Output.WriteLine(Invariant($"VQ-GAN on {r.Pictures} scenes: L1 {r.L1:F4}, PSNR {r.Psnr:F2} dB, {r.CodesUsed:N0} of {r.Codes:N0} codes used; {Percent(report.Kept)} % of the reconstructions read right"));
    }

    private void Row(string name, string candidate, ShapesScores s)
    {
        var (low, high) = s.All.Interval;
        Output.WriteLine(Invariant($"{name,-22}{candidate,-12}{s.All.Count,7}{Percent(s.All),11}{$"{Percent(low)} to {Percent(high)}",16}{Percent(s.Shape),8}{Percent(s.Color),8}{Percent(s.Size),8}{(s.Relation.Count > 0 ? Percent(s.Relation) : "-"),10}{Percent(s.Background),12}"));
    }

    private static string Json(GenerationSettings settings, ShapesReport report)
    {
        static object Interval(Proportion p) => new { right = p.Right, count = p.Count, share = p.Share, low = p.Interval.Low, high = p.Interval.High };
        static object Scores(ShapesScores s) => new
        {
            all_right = Interval(s.All),
            shape = s.Shape.Share,
            colour = s.Color.Share,
            size = s.Size.Share,
            relation = s.Relation.Count > 0 ? s.Relation.Share : (double?)null,
            background = s.Background.Share,
        };
        var (gap, r) = (report.Gap, report.Reconstruction);
        return JsonSerializer.Serialize(new
        {
            seed = settings.Seed,
            candidates = settings.Candidates,
            top_k = settings.TopK,
            top_p = settings.TopP,
            temperature = settings.Temperature,
            guidance = settings.Guidance,
            detector = Interval(report.Detector),
            groups = report.Groups.Select(group => new { held_out = group.HeldOut, objects = group.Objects, prompts = group.Best.All.Count, best = Scores(group.Best), first = Scores(group.First), any = Interval(group.Any), of_picture = Scores(group.FromPicture) }),
            embeddings = new { scenes = gap.Pairs, matching = gap.Matching, mismatching = gap.Mismatching, mean_distance = gap.MeanDistance, retrieval = gap.Retrieval.Share },
            hard_negatives = new { one_object = Interval(report.HardNegatives.OneObject), two_objects = Interval(report.HardNegatives.TwoObjects), arrangements = Interval(report.HardNegatives.Arrangements) },
            vqgan = new { scenes = r.Pictures, l1 = r.L1, psnr_db = double.IsFinite(r.Psnr) ? r.Psnr : (double?)null, codes_used = r.CodesUsed, codes = r.Codes, read_right = Interval(report.Kept) },
        });
    }

    private static void SaveSheets(string folder, ShapesReport report)
    {
        Directory.CreateDirectory(folder);
        var captions = new StringBuilder("sheet, row, column: verdict, score, caption\n");
        foreach (var group in report.Groups)
        {
            var name = $"{(group.HeldOut ? "held-out" : "seen")}-{(group.Objects == 1 ? "one" : "two")}.png";
            PictureFile.Save(PictureGrid.Make([.. group.Samples.Select(sample => sample.Picture)], PerRow, 2), Path.Combine(folder, name));
            for (var n = 0; n < group.Samples.Count; n++)
            {
                var sample = group.Samples[n];
                captions.Append(CultureInfo.InvariantCulture, $"{name}, {n / PerRow + 1}, {n % PerRow + 1}: {Verdict(sample)}, {sample.Score:F4}, {sample.Prompt.Caption}\n");
            }
        }
        OutputFiles.WriteText("--out", Path.Combine(folder, "captions.txt"), captions.ToString());
    }

    private static string Verdict(ShapesSample sample)
    {
        var v = sample.Verdict;
        if (v.AllRight) return "right";
        List<string> wrong = [];
        if (v.Found != v.Asked) wrong.Add($"{v.Found} objects instead of {v.Asked}");
        if (v.KindsRight < v.Asked) wrong.Add("shape");
        if (v.ColorsRight < v.Asked) wrong.Add("colour");
        if (v.SizesRight < v.Asked) wrong.Add("size");
        if (!v.RelationRight && v.Asked > 1) wrong.Add("relation");
        return $"wrong ({string.Join(", ", wrong)})";
    }

    private static string Percent(Proportion p) => Percent(p.Share);

    private static string Percent(double share) => (100 * share).ToString("F1", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
