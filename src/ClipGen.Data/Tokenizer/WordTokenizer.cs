using System.Text;

namespace ClipGen.Data;

/// <summary>
/// A tokenizer of whole words for small models with a closed vocabulary. Ids: 0 is padding, then the words in their order, then the start and the
/// end token. Texts are lower-cased and cut into runs of letters and digits; words outside the vocabulary have no id (see <see cref="UnknownWords"/>).
/// </summary>
public sealed class WordTokenizer : ITextTokenizer
{
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);

    /// <summary>A tokenizer that knows the given words.</summary>
    /// <exception cref="DataException">There are none, one comes twice, or one is not a run of lower-case letters and digits.</exception>
    public WordTokenizer(IEnumerable<string> words)
    {
        ArgumentNullException.ThrowIfNull(words);
        Words = [.. words];
        if (Words.Count == 0) throw new DataException("a vocabulary needs at least one word");
        foreach (var word in Words)
        {
            if (!Split(word).SequenceEqual([word]))
                throw new DataException($"vocabulary: \"{word}\" is not a word of lower-case letters and digits");
            if (!ids.TryAdd(word, ids.Count + 1))
                throw new DataException($"vocabulary: the word \"{word}\" comes twice");
        }
    }

    /// <summary>A tokenizer that knows the most frequent words of some texts; of equally frequent ones those that come first in ordinal order.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="most">Words at most.</param>
    /// <exception cref="DataException">There is no word in them.</exception>
    public static WordTokenizer Of(IEnumerable<string> texts, int most)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var text in texts)
            foreach (var word in Split(text)) counts[word] = counts.GetValueOrDefault(word) + 1;
        return new WordTokenizer(counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Take(most).Select(pair => pair.Key));
    }

    /// <summary>The words that have an id, in the order of their ids from 1 on.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <inheritdoc/>
    public int StartToken => Words.Count + 1;

    /// <inheritdoc/>
    public int EndToken => Words.Count + 2;

    /// <inheritdoc/>
    public int VocabularySize => Words.Count + 3;

    /// <summary>The vocabulary as one line: the words with a blank between them.</summary>
    public string Vocabulary => string.Join(' ', Words);

    /// <summary>Reads what <see cref="Vocabulary"/> wrote.</summary>
    /// <exception cref="DataException">It is not a vocabulary.</exception>
    public static WordTokenizer Parse(string vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return new WordTokenizer(vocabulary.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>The ids of a text's known words, without start and end token.</summary>
    public IReadOnlyList<int> Encode(string text)
    {
        var found = new List<int>();
        foreach (var word in Split(text))
            if (ids.TryGetValue(word, out var id))
                found.Add(id);
        return found;
    }

    /// <summary>The words that ids stand for, with a blank between them; padding, start and end token are left out.</summary>
    /// <exception cref="DataException">An id is not in the vocabulary.</exception>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var words = new List<string>();
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)VocabularySize)
                throw new DataException($"token id {id} is not in the vocabulary (0 to {VocabularySize - 1})");
            if (id >= 1 && id <= Words.Count) words.Add(Words[id - 1]);
        }
        return string.Join(' ', words);
    }

    /// <inheritdoc/>
    public TokenizedText Tokenize(string text, int contextLength, bool keepEnd = true)
    {
        var words = Encode(text);
        var (framed, kept) = TokenizedText.Frame(words, StartToken, EndToken, contextLength, keepEnd);
        return words.Count + 2L <= contextLength
            ? new TokenizedText(framed, words.Count + 2, false, "")
            : new TokenizedText(framed, contextLength, true, Decode(words.Skip(kept)));
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> UnknownWords(string text) => [.. Split(text).Where(word => !ids.ContainsKey(word)).Distinct()];

    private static IEnumerable<string> Split(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Cut(text);

        static IEnumerable<string> Cut(string text)
        {
            var word = new StringBuilder();
            foreach (var rune in text.EnumerateRunes())
                if (Rune.IsLetterOrDigit(rune))
                {
                    word.Append(Rune.ToLowerInvariant(rune).ToString());
                }
                else if (word.Length > 0)
                {
                    yield return word.ToString();
                    word.Clear();
                }
            if (word.Length > 0) yield return word.ToString();
        }
    }
}
