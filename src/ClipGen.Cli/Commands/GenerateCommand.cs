using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ClipGen.Cli.Explaining;
using ClipGen.Data;
using ClipGen.Kernels;
using ClipGen.Models;
using ClipGen.Models.Explaining;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>generate</c>: a sentence -> a grid of pictures.</summary>
internal sealed class GenerateCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private const int GifDelay = 120;

    private readonly Option<string> text = new("--text") { Description = "What should be on the picture", Required = true };
    private readonly Option<string> outFile = new("--out") { Description = "Picture to write (.png, .jpg, .webp)", DefaultValueFactory = _ => "sample.png" };
    private readonly Option<int> candidates = new("--candidates") { Description = "Pictures to sample; CLIP ranks them", DefaultValueFactory = _ => 64 };
    private readonly Option<int?> keep = new("--keep") { Description = "Best ones to put into the grid (default 8, or all if there are fewer)" };
    private readonly Option<int?> batch = new("--batch") { Description = "Pictures sampled together; does not change them (default 8, on a card 64)" };
    private readonly Option<int?> topK = new("--top-k") { Description = "Choose among the k most likely codes; 0 for all (default 500, or all where the GPT's checkpoint says so)" };
    private readonly Option<float?> topP = new("--top-p") { Description = "Choose among the most likely codes that hold this probability; 1 for all (default 0.95, or all where the GPT's checkpoint says so)" };
    private readonly Option<float> temperature = new("--temperature") { Description = "Divides the logits: below 1 safer, above 1 wilder", DefaultValueFactory = _ => 1f };
    private readonly Option<float?> guidance = new("--guidance") { Description = "How closely the GPT follows the text: 1 as it was trained, more is closer; for a GPT trained with --cond-drop (default 2 for such a GPT, else 1)" };
    private readonly Option<bool> greedy = new("--greedy") { Description = "Always take the most likely code: all candidates are the same" };
    private readonly Option<bool> parity = new("--parity") { Description = "Reproduce the reference, quirks included (docs/parity.md)" };
    private readonly Option<bool> strictPrompt = new("--strict-prompt") { Description = "Fail when the text is too long or has words that the model does not know, instead of leaving them out with a warning" };
    private readonly ModelOptions modelFiles = new(ModelKind.Clip, ModelKind.VqGan, ModelKind.Gpt);
    private readonly GptWeightsOption gptWeights = new();
    private readonly Option<string?> vocabulary = new("--vocab") { Description = "CLIP's merges file, bpe_simple_vocab_16e6.txt.gz (default: CLIPGEN_VOCAB, or the one beside the CLIP checkpoint or in pretrained)" };
    private readonly Option<string?> saveEach = new("--save-each") { Description = "Folder for every kept picture by itself" };
    private readonly Option<string?> explain = new("--explain") { Description = "Folder for explain.html: tokens, what each word does, every choice of a code with its entropy and attention, the decoder's stages, the ranking" };
    private readonly Option<int?> explainLayer = new("--explain-layer") { Description = "Layer of the GPT whose attention is shown, from 0 (default: the last)" };
    private readonly Option<string?> progressGif = new("--progress-gif") { Description = "Animation of the best picture growing code row by code row (.gif)" };

    private readonly MixedPrecision amp = new();

    public override Command Create()
    {
        var command = Command("generate", "Makes pictures from a text: samples candidates, ranks them with CLIP, writes the best as a grid.", Run,
            "clipgen generate --text \"a small red circle above a large blue star on a white background\" --model shapes",
            "clipgen generate --text \"A city bus driving on the city street\" --out bus.png",
            "clipgen generate --text \"a large yellow star on a black background\" --model shapes --explain how/",
            "clipgen generate --text \"a red apple\" --candidates 8 --seed 7 --clip clip_vit_b32.pt --vqgan vqgan_coco.pt --gpt gpt_coco.pt");
        foreach (var option in (Option[])[text, outFile, candidates, keep, batch, topK, topP, temperature, guidance, greedy, parity, strictPrompt, .. modelFiles.All, gptWeights.Option, vocabulary, saveEach, progressGif, explain, explainLayer, amp.Option])
            command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var prompt = parsed.GetRequiredValue(text);
        var count = parsed.GetValue(candidates);
        var settings = new GenerationSettings
        {
            Candidates = count,
            Keep = parsed.GetValue(keep) ?? Math.Clamp(count, 1, 8),
            Batch = parsed.GetValue(batch) ?? GenerationSettings.CpuBatch,
            TopK = parsed.GetValue(topK),
            TopP = parsed.GetValue(topP),
            Temperature = parsed.GetValue(temperature),
            Guidance = parsed.GetValue(guidance),
            Greedy = parsed.GetValue(greedy),
            Seed = Common.Seed(parsed),
            Parity = parsed.GetValue(parity),
        };
        settings.Validate();
        var gptType = gptWeights.Value(parsed);
        if (string.IsNullOrWhiteSpace(prompt)) throw new UsageException("--text: is empty");
        var target = parsed.GetRequiredValue(outFile);
        // Told now rather than after minutes of work.
        OutputFiles.RequireWritable("--out", target, OutputFiles.PictureEndings);
        if (parsed.GetValue(progressGif) is { } gif) OutputFiles.RequireWritable("--progress-gif", gif, ".gif");
        if (parsed.GetValue(saveEach) is { } each) OutputFiles.RequireFolder("--save-each", each);
        if (parsed.GetValue(explain) is { } page) OutputFiles.RequireFolder("--explain", page);
        if (parsed.GetValue(explainLayer) is not null && parsed.GetValue(explain) is null) throw new UsageException("--explain-layer: belongs to --explain");

        var paths = modelFiles.Resolve(parsed, [ModelKind.Clip, ModelKind.VqGan, ModelKind.Gpt]);
        var (clipPath, vqganPath, gptPath) = (paths[ModelKind.Clip], paths[ModelKind.VqGan], paths[ModelKind.Gpt]);
        var tokenizer = KnownFiles.Tokenizer(parsed.GetValue(vocabulary), clipPath);

        using var device = Common.OpenDevice(parsed);
        amp.Apply(parsed, device);
        if (parsed.GetValue(batch) is null) settings = settings with { Batch = GenerationSettings.UsualBatch(device) };
        using var models = PipelineModels.FromFiles(device, clipPath, gptPath, vqganPath, gptType);
        settings = settings.For(models.GptConfig);
        if (parsed.GetValue(explain) is not null) GenerationExplanation.LayerOf(models.GptConfig, parsed.GetValue(explainLayer));
        var pipeline = new TextToImage(models, tokenizer);
        CheckPrompt(parsed, pipeline, tokenizer, prompt, settings);

        GenerationResult result;
        IReadOnlyList<Picture>? growth = null;
        GenerationExplanation? explanation = null;
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            result = pipeline.Generate(prompt, settings, new StageProgress(line), cancellation);
            if (parsed.GetValue(explain) is not null)
            {
                line.Begin("explanation", 1, "pages");
                explanation = GenerationExplanation.Make(models, tokenizer, prompt, settings, result, parsed.GetValue(explainLayer), cancellation);
                line.Report(1);
            }
            if (parsed.GetValue(progressGif) is not null || explanation is not null)
            {
                line.Begin("animation", 1, "pictures");
                growth = pipeline.Growth(result.Codes[result.Order[0]], cancellation);
                line.Report(1);
            }
            line.End();
        }

        using var span = Profiler.Enter("write files");
        var metadata = Metadata(prompt, settings, result, clipPath, vqganPath, gptPath, gptType);
        PictureFile.Save(result.Grid(), target, metadata);
        if (parsed.GetValue(progressGif) is { } animation) PictureFile.SaveGif(growth!, GifDelay, animation);
        var explained = explanation is null ? null : WriteExplanation(parsed.GetValue(explain)!, prompt, settings, result, explanation, growth!);
        if (parsed.GetValue(saveEach) is { } separate)
        {
            Directory.CreateDirectory(separate);
            for (var rank = 0; rank < result.Order.Count; rank++)
                PictureFile.Save(result.Pictures[result.Order[rank]], Path.Combine(separate, $"{rank + 1:D2}.png"),
                    new Dictionary<string, string>(metadata) { ["scores"] = Number(result.Scores[result.Order[rank]]) });
        }
        Report(parsed, prompt, settings, target, explained, result);
        return 0;
    }

    private static string WriteExplanation(string folder, string prompt, GenerationSettings settings, GenerationResult result, GenerationExplanation explanation, IReadOnlyList<Picture> growth)
    {
        Directory.CreateDirectory(folder);
        var gif = Path.Combine(folder, "growth.gif");
        PictureFile.SaveGif(growth, GifDelay, gif);
        var page = Path.Combine(folder, "explain.html");
        OutputFiles.WriteText("--explain", page, ExplanationPage.Render(prompt, settings, result, explanation, File.ReadAllBytes(gif)));
        return page;
    }

    private void CheckPrompt(ParseResult parsed, TextToImage pipeline, ITextTokenizer tokenizer, string prompt, GenerationSettings settings)
    {
        if (ClipEmbedder.UnknownWords(tokenizer, prompt) is { } unknown) Complain(parsed, unknown);
        var tokens = pipeline.Tokenize(prompt, settings);
        if (!tokens.Truncated) return;
        var message = settings.Parity
            ? "the text is too long; as in the reference its end token is lost, so that all such texts mean the same to CLIP"
            : $"the text is too long, these words are not seen: \"{ShownText.Of(tokens.DroppedText)}\"";
        Complain(parsed, message);
    }

    private void Complain(ParseResult parsed, string message)
    {
        if (parsed.GetValue(strictPrompt)) throw new UsageException($"--text: {message} (--strict-prompt)");
        Warn(parsed, message);
    }

    /// <summary>What made the picture, in a fixed order and without times or paths, so that the same job gives the same file.</summary>
    private Dictionary<string, string> Metadata(string prompt, GenerationSettings s, GenerationResult result, string clipPath, string vqganPath, string gptPath, PackedType weights) => new()
    {
        ["prompt"] = prompt,
        ["seed"] = s.Seed.ToString(CultureInfo.InvariantCulture),
        ["scores"] = string.Join(", ", result.Order.Select(n => Number(result.Scores[n]))),
        ["settings"] = string.Create(CultureInfo.InvariantCulture, $"candidates={s.Candidates} keep={s.Keep} top_k={s.TopK} top_p={s.TopP} temperature={s.Temperature} guidance={s.Guidance} greedy={s.Greedy} parity={s.Parity}") + (weights == PackedType.Float32 ? "" : $" gpt_weights={weights.ToString().ToLowerInvariant()}"),
        ["models"] = $"clip={FileHash.Short(clipPath)} vqgan={FileHash.Short(vqganPath)} gpt={FileHash.Short(gptPath)}",
        ["software"] = "ClipGen",
    };

    private void Report(ParseResult parsed, string prompt, GenerationSettings settings, string target, string? explained, GenerationResult result)
    {
        if (Common.IsJson(parsed))
        {
            Output.WriteLine(JsonSerializer.Serialize(new
            {
                prompt,
                seed = settings.Seed,
                file = target,
                explanation = explained,
                kept = result.Order.Select((n, rank) => new { rank = rank + 1, candidate = n, score = result.Scores[n] }),
                scores = result.Scores,
            }, WithoutNulls));
            return;
        }
        Output.WriteLine("rank  candidate  score");
        for (var rank = 0; rank < result.Order.Count; rank++)
            Output.WriteLine($"{rank + 1,4}  {result.Order[rank],9}  {Number(result.Scores[result.Order[rank]])}");
        Output.WriteLine(target);
        if (explained is not null) Output.WriteLine(explained);
    }

    private static string Number(float score) => score.ToString("F4", CultureInfo.InvariantCulture);

    private sealed class StageProgress(ProgressLine line) : IGenerationProgress
    {
        public void Begin(GenerationStage stage, long total)
        {
            var (what, unit) = stage switch
            {
                GenerationStage.Text => ("text", "texts"),
                GenerationStage.Codes => ("codes", "codes"),
                _ => ("pictures", "pictures"),
            };
            line.Begin(what, total, unit);
        }

        public void Report(long done) => line.Report(done);
    }
}
