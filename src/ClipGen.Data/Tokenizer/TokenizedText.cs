namespace ClipGen.Data;

/// <summary>A text as CLIP's text tower takes it.</summary>
/// <param name="Ids">Token ids, padded with 0 to the context length.</param>
/// <param name="Length">How many of them are tokens; the rest is padding (id 0 is also the token "!").</param>
/// <param name="Truncated">Whether the text had more tokens than fit.</param>
/// <param name="DroppedText">The words that did not fit, lower-cased as the tokenizer sees them; a word that fits in part counts. Empty if there are none.</param>
public sealed record TokenizedText(int[] Ids, int Length, bool Truncated, string DroppedText)
{
    /// <summary>Puts ids between start and end token, cut off or padded with 0 to the context length.</summary>
    /// <returns>The ids, and how many of the words are among them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The context has no room for the two tokens.</exception>
    internal static (int[] Ids, int Kept) Frame(IReadOnlyList<int> words, int start, int end, int contextLength, bool keepEnd)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 2);
        var fits = words.Count <= contextLength - 2;
        var ids = new int[contextLength];
        ids[0] = start;
        var kept = Math.Min(words.Count, fits || keepEnd ? contextLength - 2 : contextLength - 1);
        for (var i = 0; i < kept; i++) ids[i + 1] = words[i];
        if (kept + 1 < contextLength) ids[kept + 1] = end;
        return (ids, kept);
    }
}
