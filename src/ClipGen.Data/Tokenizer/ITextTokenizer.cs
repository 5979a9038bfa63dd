namespace ClipGen.Data;

/// <summary>Turns texts into the token ids of a text tower. Safe to use from several threads.</summary>
public interface ITextTokenizer
{
    /// <summary>The token that begins every text.</summary>
    int StartToken { get; }

    /// <summary>The token that ends a text; the largest id, by which CLIP finds the place of the text's features.</summary>
    int EndToken { get; }

    /// <summary>Number of ids: rows of the embedding table.</summary>
    int VocabularySize { get; }

    /// <summary>A text as the model takes it: start token, ids, end token, padding.</summary>
    /// <param name="text">The text.</param>
    /// <param name="contextLength">Number of ids that the model takes.</param>
    /// <param name="keepEnd">Whether a text that does not fit keeps its end token as the last id.</param>
    /// <exception cref="ArgumentOutOfRangeException">The context has no room for the two tokens.</exception>
    TokenizedText Tokenize(string text, int contextLength, bool keepEnd = true);

    /// <summary>The text that ids stand for.</summary>
    /// <exception cref="DataException">An id is not in the vocabulary.</exception>
    string Decode(IEnumerable<int> ids);

    /// <summary>The words of a text that no id stands for, each once, in the order of the text; <see cref="Tokenize"/> leaves them out.</summary>
    IReadOnlyList<string> UnknownWords(string text);
}
