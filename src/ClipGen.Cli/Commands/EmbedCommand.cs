using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ClipGen.Checkpoints;
using ClipGen.Data;
using ClipGen.Models;
using ClipGen.Models.Clip;
using ClipGen.Models.Pipeline;

namespace ClipGen.Cli.Commands;

/// <summary><c>embed</c>: texts and pictures -> CLIP embeddings.</summary>
internal sealed class EmbedCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Option<string[]> texts = new("--text") { Description = "A text; any number of them", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string[]> images = new("--image") { Description = "A picture file; any number of them. Prepared as OpenAI does: short side resized to the model's size (bicubic), middle cut out, CLIP's mean and deviation", AllowMultipleArgumentsPerToken = true };
    private readonly ModelOptions modelFiles = new(ModelKind.Clip);
    private readonly Option<string?> vocabulary = new("--vocab") { Description = "CLIP's merges file, bpe_simple_vocab_16e6.txt.gz (default: CLIPGEN_VOCAB, or the one beside the CLIP checkpoint or in pretrained)" };
    private readonly Option<int?> heads = new("--heads") { Description = "Attention heads of the text tower (default: its width / 64)" };
    private readonly Option<string?> outFile = new("--out") { Description = "File for the embeddings (.safetensors), all of length 1: tensors text, image, and similarity with one row per text" };

    public override Command Create()
    {
        var command = Command("embed", "Computes CLIP embeddings of texts and pictures, and how similar they are.", Run,
            "clipgen embed --text \"a red apple\" \"a dog\" --image apple.jpg dog.jpg --clip clip_vit_b32.pt",
            "clipgen embed --image photo.jpg --out photo.safetensors --json");
        foreach (var option in (Option[])[texts, images, .. modelFiles.All, vocabulary, heads, outFile]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var sentences = parsed.GetValue(texts) ?? [];
        var files = parsed.GetValue(images) ?? [];
        if (sentences.Length + files.Length == 0) throw new UsageException("give at least one --text or --image");
        var headCount = HeadOption.Value(parsed, heads);
        if (parsed.GetValue(outFile) is { } target) OutputFiles.RequireWritable("--out", target, ".safetensors");
        var checkpoint = modelFiles.Resolve(parsed, [ModelKind.Clip])[ModelKind.Clip];
        var tokenizer = sentences.Length > 0 ? KnownFiles.Tokenizer(parsed.GetValue(vocabulary), checkpoint) : null;
        using var device = Common.OpenDevice(parsed);
        using var model = ModelFiles.LoadClip(device, checkpoint, headCount);

        var result = new Embeddings(sentences.Length, files.Length);
        using (var line = new ProgressLine(Error, Common.Quiet(parsed)))
        {
            line.Begin("embed", sentences.Length + files.Length, "inputs");
            for (var n = 0; n < sentences.Length; n++)
            {
                cancellation.ThrowIfCancellationRequested();
                result.Text[n] = EmbedText(parsed, model, tokenizer!, sentences[n], n);
                line.Report(n + 1);
            }
            for (var n = 0; n < files.Length; n++)
            {
                cancellation.ThrowIfCancellationRequested();
                result.Image[n] = ClipEmbedder.EmbedPicture(model, PictureFile.Load(files[n]));
                line.Report(sentences.Length + n + 1);
            }
            line.End();
        }
        if (parsed.GetValue(outFile) is { } file) SafetensorsWriter.Write(file, result.Tensors());
        if (Common.IsJson(parsed)) Output.WriteLine(result.Json());
        else Report(parsed.GetValue(outFile), sentences, files, result);
        return 0;
    }

    private float[] EmbedText(ParseResult parsed, ClipModel model, ITextTokenizer tokenizer, string text, int n)
    {
        if (ClipEmbedder.UnknownWords(tokenizer, text, $"--text {n + 1}") is { } unknown) Warn(parsed, $"--text {n + 1}: {unknown}");
        var tokens = ClipEmbedder.Tokenize(model.Config, tokenizer, text);
        if (tokens.Truncated) Warn(parsed, $"--text {n + 1} is too long, these words are not seen: \"{ShownText.Of(tokens.DroppedText)}\"");
        return ClipEmbedder.EmbedText(model, tokens);
    }

    private void Report(string? target, string[] sentences, string[] files, Embeddings result)
    {
        void Lines(string kind, string[] names, float[][] embeddings)
        {
            for (var n = 0; n < names.Length; n++)
                Output.WriteLine($"{kind} {n + 1}: {embeddings[n].Length} values, {string.Join(", ", embeddings[n].Take(4).Select(Number))}, ...  {ShownText.Of(names[n])}");
        }

        Lines("text", sentences, result.Text);
        Lines("image", files, result.Image);
        if (result.Similarity is { } similarity)
        {
            Output.WriteLine("similarity");
            for (var n = 0; n < similarity.Length; n++)
                Output.WriteLine($"text {n + 1}: {string.Join("  ", similarity[n].Select((value, m) => $"image {m + 1} {Number(value)}"))}");
        }
        if (target is not null) Output.WriteLine(target);
    }

    private static string Number(float value) => value.ToString("F4", CultureInfo.InvariantCulture);

    private sealed class Embeddings(int texts, int images)
    {
        public float[][] Text { get; } = new float[texts][];

        public float[][] Image { get; } = new float[images][];

        /// <summary>One row per text, one column per picture; null unless there are both.</summary>
        public float[][]? Similarity => Text.Length == 0 || Image.Length == 0 ? null : [.. Text.Select(t => Image.Select(i => ClipEmbedder.Similarity(t, i)).ToArray())];

        private IEnumerable<(string Name, float[][] Rows)> Parts
        {
            get
            {
                if (Text.Length > 0) yield return ("text", Text);
                if (Image.Length > 0) yield return ("image", Image);
                if (Similarity is { } similarity) yield return ("similarity", similarity);
            }
        }

        public string Json()
        {
            var root = new JsonObject();
            foreach (var (name, rows) in Parts) root[name] = JsonSerializer.SerializeToNode(rows);
            return root.ToJsonString();
        }

        public List<TensorSource> Tensors() => [.. Parts.Select(part => TensorSource.From(part.Name, [.. part.Rows.SelectMany(row => row)], part.Rows.Length, part.Rows[0].Length))];
    }
}
