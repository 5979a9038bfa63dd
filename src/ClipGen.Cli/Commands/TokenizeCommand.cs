using System.CommandLine;
using System.Text.Json;
using ClipGen.Data;

namespace ClipGen.Cli.Commands;

/// <summary><c>tokenize</c>: texts -> CLIP's token ids.</summary>
internal sealed class TokenizeCommand(TextWriter output, TextWriter error) : CliCommand(output, error)
{
    private readonly Argument<string[]> texts = new("TEXT") { Description = "Texts, each in quotes", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string?> vocabulary = new("--vocab") { Description = "CLIP's merges file, bpe_simple_vocab_16e6.txt.gz (default: CLIPGEN_VOCAB, or the one beside the CLIP checkpoint or in pretrained)" };
    private readonly Option<bool> parity = new("--parity") { Description = "An over-long text loses its end token, as in the reference (docs/parity.md)" };

    public override Command Create()
    {
        var command = Command("tokenize", "Shows the tokens that CLIP sees of a text, each with its id.", Run,
            "clipgen tokenize \"a red apple\"",
            "clipgen tokenize --json \"a red apple\" \"two green pears\"");
        command.Add(texts);
        foreach (var option in new Option[] { vocabulary, parity }) command.Add(option);
        Common.AddTo(command);
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var tokenizer = ClipTokenizer.Load(KnownFiles.Vocabulary(parsed.GetValue(vocabulary)));
        var keepEnd = !parsed.GetValue(parity);
        var rows = parsed.GetRequiredValue(texts).Select(text => tokenizer.Tokenize(text, keepEnd: keepEnd)).ToList();
        for (var n = 0; n < rows.Count; n++)
            if (rows[n].Truncated)
                Warn(parsed, $"text {n + 1} is too long, these words are not seen: \"{ShownText.Of(rows[n].DroppedText)}\"{(keepEnd ? "" : "; its end token is lost")}");
        if (Common.IsJson(parsed)) Output.WriteLine(JsonSerializer.Serialize(rows.Select(row => row.Ids)));
        else
            foreach (var row in rows) Output.WriteLine(string.Join(' ', row.Ids.Take(row.Length).Select(id => Shown(tokenizer, id))));
        return 0;
    }

    private static string Shown(ClipTokenizer tokenizer, int id)
    {
        var text = tokenizer.Decode([id]);
        // Decoding puts a blank behind what ends a word; the two special tokens stand by themselves.
        if (id >= tokenizer.StartToken || text.EndsWith(' ')) return $"{ShownText.Of(text.TrimEnd(' '))}({id})";
        return $"{ShownText.Of(text)}-({id})";
    }
}
