namespace ClipGen.Data;

/// <summary>A text as CLIP's text tower takes it.</summary>
/// <param name="Ids">Token ids, padded with 0 to the context length.</param>
/// <param name="Length">How many of them are tokens; the rest is padding (id 0 is also the token "!").</param>
/// <param name="Truncated">Whether the text had more tokens than fit.</param>
/// <param name="DroppedText">The words that did not fit, lower-cased as the tokenizer sees them; a word that fits in part counts. Empty if there are none.</param>
public sealed record TokenizedText(int[] Ids, int Length, bool Truncated, string DroppedText);
