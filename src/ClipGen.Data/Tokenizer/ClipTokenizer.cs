using System.Text;

namespace ClipGen.Data;

/// <summary>
/// CLIP's tokenizer: lower-cased byte-level BPE, where a symbol that ends a word is marked. Ids: 256 bytes, 256 bytes that end a word,
/// one per merge, then the start and the end token (49406 and 49407 with the released file). Safe to use from several threads.
/// Source: OpenAI CLIP's simple_tokenizer, without its repair of mis-encoded text.
/// </summary>
public sealed class ClipTokenizer : ITextTokenizer
{
    private const string WordEnd = "</w>";
    private readonly BytePairEncoder encoder = new();
    private readonly string[] symbols;
    private readonly bool[] endsWord;

    private ClipTokenizer(IReadOnlyList<(string First, string Second)> merges, string name)
    {
        symbols = new string[BytePairEncoder.ByteSymbols + merges.Count + 2];
        var ids = new Dictionary<string, int>(symbols.Length, StringComparer.Ordinal);
        for (var i = 0; i < 256; i++)
        {
            symbols[i] = ByteAlphabet.Character(i).ToString();
            symbols[i + 256] = symbols[i] + WordEnd;
        }
        for (var i = 0; i < BytePairEncoder.ByteSymbols; i++) ids.Add(symbols[i], i);
        // All names first: a symbol that two pairs make has the later id wherever it occurs, as in a table built from the list.
        for (var i = 0; i < merges.Count; i++)
        {
            var (first, second) = merges[i];
            if (!ids.ContainsKey(first) || !ids.ContainsKey(second))
                throw new DataException($"{name}: merge {i + 1:N0} joins a symbol that no earlier one makes: not a vocabulary file");
            symbols[BytePairEncoder.ByteSymbols + i] = first + second;
            ids[first + second] = BytePairEncoder.ByteSymbols + i;
        }
        for (var i = 0; i < merges.Count; i++)
        {
            var (first, second) = merges[i];
            encoder.Add(ids[first], ids[second], i, ids[first + second]);
        }
        StartToken = symbols.Length - 2;
        EndToken = symbols.Length - 1;
        symbols[StartToken] = PromptText.Start;
        symbols[EndToken] = PromptText.End;
        endsWord = [.. symbols.Select((s, id) => id >= StartToken || s.EndsWith(WordEnd, StringComparison.Ordinal))];
    }

    /// <summary>The token that begins every text.</summary>
    public int StartToken { get; }

    /// <summary>The token that ends a text; the largest id, by which CLIP finds the place of the text's features.</summary>
    public int EndToken { get; }

    /// <summary>Number of ids: rows of the embedding table.</summary>
    public int VocabularySize => symbols.Length;

    /// <summary>Reads OpenAI CLIP's <c>bpe_simple_vocab_16e6.txt.gz</c> or the same text unpacked; its first 48,894 pairs count.</summary>
    /// <exception cref="DataException">The file is missing, damaged, or not a vocabulary.</exception>
    public static ClipTokenizer Load(string path) => new(MergesFile.Read(path, MergesFile.ClipMerges), path);

    /// <summary>A tokenizer from merges in order of rank, written in GPT-2's byte alphabet with <c>&lt;/w&gt;</c> at a word's end; for small vocabularies.</summary>
    /// <exception cref="DataException">A pair joins a symbol that is neither a byte nor made by an earlier pair.</exception>
    public static ClipTokenizer FromMerges(IReadOnlyList<(string First, string Second)> merges) => new(merges, "merges");

    /// <summary>Reads a vocabulary of <paramref name="merges"/> pairs from a seekable stream.</summary>
    internal static ClipTokenizer Load(Stream stream, string name, int merges) => new(MergesFile.Read(stream, name, merges), name);

    /// <summary>The ids of a text, without start and end token. Lone surrogates count as U+FFFD.</summary>
    public IReadOnlyList<int> Encode(string text)
    {
        var ids = new List<int>();
        var bytes = new byte[64];
        foreach (var word in PromptText.Words(PromptText.Clean(text)))
        {
            if (word == PromptText.Start) ids.Add(StartToken);
            else if (word == PromptText.End) ids.Add(EndToken);
            else
            {
                var needed = Encoding.UTF8.GetMaxByteCount(word.Length);
                if (bytes.Length < needed) bytes = new byte[needed];
                encoder.Encode(word, bytes.AsSpan(0, Encoding.UTF8.GetBytes(word, bytes)), ids);
            }
        }
        return ids;
    }

    /// <summary>The text that ids stand for, with a blank after each word; bytes that are no UTF-8 become U+FFFD.</summary>
    /// <exception cref="DataException">An id is not in the vocabulary.</exception>
    public string Decode(IEnumerable<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)symbols.Length)
                throw new DataException($"token id {id} is not in the vocabulary (0 to {symbols.Length - 1})");
            foreach (var c in symbols[id])
                if (ByteAlphabet.TryGetByte(c, out var value))
                    bytes.Add(value);
        }
        return Encoding.UTF8.GetString(bytes.ToArray()).Replace(WordEnd, " ", StringComparison.Ordinal);
    }

    /// <summary>A text as the model takes it: start token, ids, end token, padding.</summary>
    /// <param name="text">The text.</param>
    /// <param name="contextLength">Number of ids that the model takes.</param>
    /// <param name="keepEnd">
    /// Whether a text that does not fit keeps its end token as the last id. Without it the ids are cut off and the end token is lost, as in the
    /// reference: CLIP then reads every such text's features at the start token, the same for all of them.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The context has no room for the two tokens.</exception>
    public TokenizedText Tokenize(string text, int contextLength = 77, bool keepEnd = true)
    {
        var words = Encode(text);
        var (ids, kept) = TokenizedText.Frame(words, StartToken, EndToken, contextLength, keepEnd);
        if (words.Count + 2L <= contextLength) return new TokenizedText(ids, words.Count + 2, false, "");

        // A word of which a part fits is dropped as a whole for the reader: half a word says nothing.
        var dropped = kept;
        while (dropped < words.Count && dropped > 0 && !endsWord[words[dropped - 1]]) dropped--;
        return new TokenizedText(ids, contextLength, true, Decode(words.Skip(dropped)).Trim());
    }

    /// <summary>Always empty: every text is made of bytes, and each byte has an id.</summary>
    public IReadOnlyList<string> UnknownWords(string text) => [];
}
