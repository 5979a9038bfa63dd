using System.CommandLine;
using System.Text.Json;
using ClipGen.Data;
using ClipGen.Models;

namespace ClipGen.Cli.Commands;

/// <summary><c>tokenize</c>: texts -> CLIP's token ids.</summary>
internal sealed class TokenizeCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    /// <summary>Ids that the released CLIP takes.</summary>
    private const int ReleasedContext = 77;

    private readonly Argument<string[]> texts = new("TEXT") { Description = "Texts, each in quotes", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string?> vocabulary = new("--vocab") { Description = "CLIP's merges file, bpe_simple_vocab_16e6.txt.gz (default: CLIPGEN_VOCAB, or the one in pretrained; without one, the words of the built-in model)" };
    private readonly ModelOptions modelFiles = new();
    private readonly Option<bool> parity = new("--parity") { Description = "An over-long text loses its end token, as in the reference (docs/parity.md)" };

    public override Command Create()
    {
        var command = Command("tokenize", "Shows the tokens that CLIP sees of a text, each with its id.", Run,
            "clipgen tokenize \"a red apple\"",
            "clipgen tokenize --json \"a red apple\" \"two green pears\"",
            "clipgen tokenize --model shapes \"a large red circle\"");
        command.Add(texts);
        foreach (var option in (Option[])[vocabulary, .. modelFiles.All, parity]) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (tokenizer, context) = Tokenizer(parsed);
        var keepEnd = !parsed.GetValue(parity);
        var sentences = parsed.GetRequiredValue(texts);
        var rows = sentences.Select(text => tokenizer.Tokenize(text, context, keepEnd)).ToList();
        for (var n = 0; n < rows.Count; n++)
        {
            if (tokenizer.UnknownWords(sentences[n]) is { Count: > 0 } unknown)
                Warn(parsed, $"text {n + 1} has words that the model does not know: {string.Join(", ", unknown.Select(word => $"\"{word}\""))}");
            if (rows[n].Truncated)
                Warn(parsed, $"text {n + 1} is too long, these words are not seen: \"{ShownText.Of(rows[n].DroppedText)}\"{(keepEnd ? "" : "; its end token is lost")}");
        }
        if (Common.IsJson(parsed)) Output.WriteLine(JsonSerializer.Serialize(rows.Select(row => row.Ids)));
        else
            foreach (var row in rows) Output.WriteLine(string.Join(' ', row.Ids.Take(row.Length).Select(id => Shown(tokenizer, id))));
        return 0;
    }

    private (ITextTokenizer Tokenizer, int Context) Tokenizer(ParseResult parsed)
    {
        var given = parsed.GetValue(vocabulary);
        if (given is null && !modelFiles.IsGiven(parsed)) given = KnownFiles.Vocabulary();
        if (given is not null) return (ClipTokenizer.Load(given), ReleasedContext);
        var clip = modelFiles.Resolve(parsed, [ModelKind.Clip])[ModelKind.Clip];
        var tokenizer = KnownFiles.Tokenizer(null, clip);
        using var weights = CheckpointWeights.Open(clip, ModelKind.Clip);
        return (tokenizer, weights.ShapeOf("positional_embedding") is [>= 2 and < int.MaxValue and var context, _] ? (int)context : ReleasedContext);
    }

    private static string Shown(ITextTokenizer tokenizer, int id)
    {
        if (tokenizer is WordTokenizer) return $"{(id == tokenizer.StartToken ? "<start_of_text>" : id == tokenizer.EndToken ? "<end_of_text>" : tokenizer.Decode([id]))}({id})";
        var text = tokenizer.Decode([id]);
        // Decoding puts a blank behind what ends a word; the two special tokens stand by themselves.
        if (id >= tokenizer.StartToken || text.EndsWith(' ')) return $"{ShownText.Of(text.TrimEnd(' '))}({id})";
        return $"{ShownText.Of(text)}-({id})";
    }
}
