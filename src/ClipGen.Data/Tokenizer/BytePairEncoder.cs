using System.Collections.Concurrent;

namespace ClipGen.Data;

/// <summary>
/// Byte-pair encoding: a word starts as one symbol per byte, the last one marked as the word's end; then, round after round, every
/// occurrence (left to right) of the adjacent pair with the lowest rank becomes one symbol, until no adjacent pair has a rank.
/// </summary>
internal sealed class BytePairEncoder
{
    private const int CachedWords = 1 << 16, LongestCachedWord = 64;
    private readonly Dictionary<long, (int Rank, int Merged)> merges = [];
    private readonly ConcurrentDictionary<string, int[]> cache = new();

    /// <summary>Ids below this are bytes, then bytes that end a word.</summary>
    public const int ByteSymbols = 512;

    /// <summary>Adds a pair. A pair that is given again gets the later rank, as in a table built from the list.</summary>
    public void Add(int first, int second, int rank, int merged) => merges[Key(first, second)] = (rank, merged);

    /// <summary>Appends the ids of a word, given as its UTF-16 text and its UTF-8 bytes (at least one).</summary>
    public void Encode(string word, ReadOnlySpan<byte> bytes, List<int> ids)
    {
        if (cache.TryGetValue(word, out var known))
        {
            ids.AddRange(known);
            return;
        }
        var start = ids.Count;
        Merge(bytes, ids);
        // A bound on the count keeps a stream of new words from growing the table for ever.
        if (word.Length <= LongestCachedWord && cache.Count < CachedWords)
            cache.TryAdd(word, [.. ids[start..]]);
    }

    private void Merge(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        var count = bytes.Length;
        var symbols = new int[count];
        var next = new int[count];
        var previous = new int[count];
        for (var i = 0; i < count; i++)
        {
            symbols[i] = ByteAlphabet.Id(bytes[i]);
            next[i] = i + 1 < count ? i + 1 : -1;
            previous[i] = i - 1;
        }
        symbols[count - 1] += ByteSymbols / 2;

        // Places wait in one list per rank: no search per round, so that a word of a million letters takes about n log n steps.
        var waiting = new Dictionary<int, List<int>>();
        var ranks = new PriorityQueue<int, int>();
        for (var i = 0; i + 1 < count; i++) Offer(i);
        var changed = new List<int>();
        while (ranks.TryDequeue(out var rank, out _))
        {
            waiting.Remove(rank, out var places);
            places!.Sort();
            changed.Clear();
            foreach (var left in places)
            {
                // The pair may have changed since it was found.
                if (symbols[left] < 0 || next[left] < 0) continue;
                var right = next[left];
                if (!merges.TryGetValue(Key(symbols[left], symbols[right]), out var pair) || pair.Rank != rank) continue;
                symbols[left] = pair.Merged;
                symbols[right] = -1;
                next[left] = next[right];
                if (next[left] >= 0) previous[next[left]] = left;
                changed.Add(left);
            }
            // The round is complete before pairs that it makes count: they could have a lower rank.
            foreach (var left in changed)
            {
                // A neighbour merged later in this round may have swallowed the place.
                if (symbols[left] < 0) continue;
                if (previous[left] >= 0) Offer(previous[left]);
                Offer(left);
            }
        }
        for (var i = 0; i >= 0; i = next[i]) ids.Add(symbols[i]);

        void Offer(int left)
        {
            if (next[left] < 0 || !merges.TryGetValue(Key(symbols[left], symbols[next[left]]), out var pair)) return;
            if (!waiting.TryGetValue(pair.Rank, out var places))
            {
                waiting[pair.Rank] = places = [];
                ranks.Enqueue(pair.Rank, pair.Rank);
            }
            // Both neighbours of a place may offer it, one after the other.
            if (places.Count == 0 || places[^1] != left) places.Add(left);
        }
    }

    private static long Key(int first, int second) => ((long)first << 32) | (uint)second;
}
