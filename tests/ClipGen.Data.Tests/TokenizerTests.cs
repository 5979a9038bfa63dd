using System.Text;

namespace ClipGen.Data.Tests;

/// <summary>The tokenizer on small vocabularies: merging against the plain definition, odd texts, damaged files.</summary>
public sealed class TokenizerTests
{
    private static readonly ClipTokenizer Small = ClipTokenizer.FromMerges([("c", "a"), ("ca", "t</w>"), ("a", "a"), ("aa", "aa"), ("d", "o")]);

    [Fact]
    public void IdsFollowBytesThenMergesThenSpecials()
    {
        Assert.Equal(512 + 5 + 2, Small.VocabularySize);
        Assert.Equal(512 + 5, Small.StartToken);
        Assert.Equal(512 + 6, Small.EndToken);
        Assert.Equal([513], Small.Encode("Cat"));
        Assert.Equal([256 + 'a' - '!'], Small.Encode("a"));
        // Byte 0 has the first of the invisible bytes' ids: 188 bytes are visible. It ends its word.
        Assert.Equal([256 + 188], Small.Encode("\0"));
        Assert.Equal("cat ", Small.Decode([513]));
    }

    [Fact]
    public void MergingFollowsTheDefinition()
    {
        var random = new Random(3);
        var longest = 0;
        for (var trial = 0; trial < 300; trial++)
        {
            // Pairs of symbols that exist, so that some text is made in two ways and some pair comes twice.
            var symbols = new List<string> { "a", "b", "c", "a</w>", "b</w>", "c</w>" };
            var merges = new List<(string First, string Second)>();
            while (merges.Count < 24)
            {
                var first = symbols[random.Next(symbols.Count)];
                if (first.EndsWith("</w>", StringComparison.Ordinal)) continue;
                var second = symbols[random.Next(symbols.Count)];
                merges.Add((first, second));
                symbols.Add(first + second);
            }
            var tokenizer = ClipTokenizer.FromMerges(merges);
            for (var k = 0; k < 10; k++)
            {
                var word = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => "abc"[random.Next(3)]));
                var expected = MergeByDefinition(word, merges);
                longest = Math.Max(longest, word.Length - expected.Length);
                Assert.Equal(expected, tokenizer.Encode(word));
                Assert.Equal(expected, tokenizer.Encode(word)); // from the cache
            }
        }
        Assert.True(longest > 10, "hardly anything was merged: the test proves nothing");
    }

    [Fact]
    public void LoneSurrogatesAreReplaced()
    {
        // Not as theory data: the runner would replace them on its way.
        foreach (var (text, same) in new[] { ("\uD800", "\uFFFD"), ("\uDC00x", "\uFFFDx"), ("a\uD83D", "a\uFFFD"), ("\uDE00\uD83D", "\uFFFD\uFFFD") })
        {
            Assert.Equal(same, LowerCase.Of(text));
            Assert.Equal(Small.Encode(same), Small.Encode(text));
            Assert.Equal(same.Replace("x", " x").Replace("a", "a ") + " ", Small.Decode(Small.Encode(text)));
        }
    }

    [Fact]
    public void ContextNeedsRoomForBothEnds()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Small.Tokenize("cat", 1));
        Assert.Equal([Small.StartToken, Small.EndToken], Small.Tokenize("cat cat", 2).Ids);
        Assert.Equal("cat cat", Small.Tokenize("cat cat", 2).DroppedText);
    }

    [Fact]
    public void UnknownIdIsNamed() =>
        Assert.Contains("99999", Assert.Throws<DataException>(() => Small.Decode([1, 99999])).Message);

    [Fact]
    public void MissingVocabularySaysWhatToDo()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<DataException>(() => ClipTokenizer.Load(folder["none.gz"]));
        Assert.Contains(folder["none.gz"], error.Message);
        Assert.Contains("--vocab", error.Message);
        Assert.Contains("CLIPGEN_VOCAB", error.Message);
    }

    [Fact]
    public void ShortOrForeignFilesAreRefused()
    {
        using var folder = new TemporaryFolder();
        foreach (var text in new[] { "", "#version: 0.2\n", "#version: 0.2\ni n\nt h\n", "{\"a\": 1}\n\n\n", "h\na b c\n", "h\nab\n", "h\n" + new string('x', 5000) + " y\n" })
            Assert.Contains(folder["v.txt"], Assert.Throws<DataException>(() => ClipTokenizer.Load(folder.Write("v.txt", Encoding.UTF8.GetBytes(text)))).Message);
        Assert.Throws<DataException>(() => ClipTokenizer.Load(folder.Root));
        Assert.Throws<DataException>(() => ClipTokenizer.FromMerges([("a", "\u4F60")]));
    }

    [Fact]
    public void InflatedSizeIsBounded()
    {
        using var folder = new TemporaryFolder();
        using var packed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
            for (var i = 0; i < 300; i++)
                gzip.Write(new byte[1 << 20]);
        Assert.Contains("16 MB", Assert.Throws<DataException>(() => ClipTokenizer.Load(folder.Write("bomb.gz", packed.ToArray()))).Message);
    }

    [Fact]
    public void MutatedTextsAndVocabulariesOnlyEndInDataErrors()
    {
        var random = new Random(11);
        string[] seeds = ["it's <end_of_text> &amp;amp; &#x1F600; \u0130\u03A3 caf\u00E9 \U0001F600!", "&notit; &#99999999999; '\u017F \u3000x\u001C", "<start_of_text>a1b2"];
        for (var i = 0; i < 4000; i++)
        {
            var text = seeds[i % seeds.Length].ToCharArray();
            for (var k = random.Next(1, 8); k > 0; k--) text[random.Next(text.Length)] = random.Next(3) == 0 ? (char)random.Next(0x10000) : "&#;'<>_x1 \uD83D\uDE00\u03A3"[random.Next(13)];
            var result = Small.Tokenize(new string(text), 12, keepEnd: i % 2 == 0);
            Assert.Equal(12, result.Ids.Length);
            Assert.All(result.Ids, id => Assert.InRange(id, 0, Small.VocabularySize - 1));
        }

        using var packed = new MemoryStream();
        var plain = Encoding.UTF8.GetBytes("#version\nc a\nca t</w>\na a\naa aa\nd o\n");
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(plain);
        int loaded = 0, refused = 0;
        for (var i = 0; i < 4000; i++)
        {
            var bytes = i % 2 == 0 ? (byte[])plain.Clone() : packed.ToArray();
            for (var k = random.Next(0, 4); k > 0; k--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0) bytes = bytes[..random.Next(bytes.Length)];
            try
            {
                Assert.Equal(519, ClipTokenizer.Load(new MemoryStream(bytes), "fuzz", 5).VocabularySize);
                loaded++;
            }
            catch (DataException)
            {
                refused++;
            }
        }
        Assert.True(loaded > 100 && refused > 100, $"{loaded} loaded, {refused} refused: one side was hardly tried");
    }

    // The definition, as slow as it reads: find the pair of the lowest rank, join all its occurrences from the left, repeat.
    private static int[] MergeByDefinition(string word, List<(string First, string Second)> merges)
    {
        var ranks = new Dictionary<(string, string), int>();
        var ids = new Dictionary<string, int>();
        for (var i = 0; i < 3; i++)
        {
            ids["abc"[i].ToString()] = "abc"[i] - '!';
            ids["abc"[i] + "</w>"] = 256 + "abc"[i] - '!';
        }
        for (var i = 0; i < merges.Count; i++)
        {
            ranks[merges[i]] = i;
            ids[merges[i].First + merges[i].Second] = 512 + i;
        }
        var parts = word.Select(c => c.ToString()).ToList();
        parts[^1] += "</w>";
        while (true)
        {
            var best = parts.Zip(parts.Skip(1)).Where(ranks.ContainsKey).OrderBy(p => ranks[p]).FirstOrDefault();
            if (best.First is null) return [.. parts.Select(p => ids[p])];
            var joined = new List<string>();
            for (var i = 0; i < parts.Count; i++)
                if (i + 1 < parts.Count && (parts[i], parts[i + 1]) == best) joined.Add(parts[i] + parts[++i]);
                else joined.Add(parts[i]);
            parts = joined;
        }
    }
}
