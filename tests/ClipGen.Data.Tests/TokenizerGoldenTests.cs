using System.Text.Json;
using ClipGen.Testing;

namespace ClipGen.Data.Tests;

/// <summary>The released vocabulary against ids that the reference made.</summary>
public sealed class TokenizerGoldenTests
{
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllBytes(RepositoryPaths.GoldenFile("tokenizer", "tokens.json"))).RootElement;
    private static readonly Lazy<ClipTokenizer> Loaded = new(() => ClipTokenizer.Load(RepositoryPaths.Vocabulary!));

    private static ClipTokenizer Tokenizer
    {
        get
        {
            Assert.SkipWhen(RepositoryPaths.Vocabulary is null,
                "TOKENIZER NOT TESTED against the reference: set CLIPGEN_VOCAB to OpenAI CLIP's bpe_simple_vocab_16e6.txt.gz");
            return Loaded.Value;
        }
    }

    [Fact]
    public void NumbersMatch()
    {
        Assert.Equal(Golden.GetProperty("vocabulary_size").GetInt32(), Tokenizer.VocabularySize);
        Assert.Equal(Golden.GetProperty("start").GetInt32(), Tokenizer.StartToken);
        Assert.Equal(Golden.GetProperty("end").GetInt32(), Tokenizer.EndToken);
    }

    [Fact]
    public void EveryCaseMatches()
    {
        var cases = 0;
        foreach (var golden in Golden.GetProperty("cases").EnumerateArray())
        {
            var text = golden.GetProperty("text").GetString()!;
            var expected = Ints(golden.GetProperty("ids"));
            var truncated = golden.GetProperty("truncated").GetBoolean();
            var full = golden.GetProperty("untruncated_length").GetInt32();

            var cut = Tokenizer.Tokenize(text, 77, keepEnd: false);
            Assert.True(expected.SequenceEqual(cut.Ids[..cut.Length]), $"\"{text}\": expected {string.Join(' ', expected)}, found {string.Join(' ', cut.Ids[..cut.Length])}");
            Assert.All(cut.Ids[cut.Length..], id => Assert.Equal(0, id));
            Assert.Equal(77, cut.Ids.Length);
            Assert.Equal(truncated, cut.Truncated);
            Assert.Equal(full, Tokenizer.Encode(text).Count + 2);
            Assert.Equal(golden.GetProperty("argmax_position").GetInt32(), Array.IndexOf(cut.Ids, cut.Ids.Max()));

            // With the end token kept, all but the last place is the same, and the last one is the end.
            var kept = Tokenizer.Tokenize(text);
            Assert.Equal(cut.Ids[..76], kept.Ids[..76]);
            Assert.Equal(truncated ? Tokenizer.EndToken : cut.Ids[76], kept.Ids[76]);
            Assert.Equal(truncated, kept.Truncated);
            Assert.Equal(!truncated, kept.DroppedText == "");
            cases++;
        }
        Assert.True(cases > 200, $"only {cases} cases");
    }

    [Fact]
    public void OtherContextLengthsMatch()
    {
        foreach (var golden in Golden.GetProperty("other_context_lengths").EnumerateArray())
        {
            var text = golden.GetProperty("text").GetString()!;
            var length = golden.GetProperty("context_length").GetInt32();
            Assert.Equal(Ints(golden.GetProperty("ids")), Tokenizer.Tokenize(text, length, keepEnd: false).Ids);
        }
    }

    [Fact]
    public void DecodeMatches()
    {
        foreach (var golden in Golden.GetProperty("decode").EnumerateArray())
            Assert.Equal(golden.GetProperty("text").GetString(), Tokenizer.Decode(Ints(golden.GetProperty("ids"))));
    }

    [Fact]
    public void DroppedWordsAreNamedWhole()
    {
        var kept = Tokenizer.Tokenize("a photo of a supercalifragilisticexpialidocious Cat", 8);
        Assert.Equal("supercalifragilisticexpialidocious cat", kept.DroppedText);
        Assert.Equal(Tokenizer.EndToken, kept.Ids[7]);
        Assert.Equal("cat", Tokenizer.Tokenize("a photo of a cat", 6).DroppedText);
        // Only the end token is lost: no word is.
        var cut = Tokenizer.Tokenize("a photo of a cat", 6, keepEnd: false);
        Assert.True(cut.Truncated);
        Assert.Equal("", cut.DroppedText);
    }

    [Fact]
    public void UnpackedFileIsTheSame()
    {
        var tokenizer = Tokenizer;
        using var folder = new TemporaryFolder();
        using (var packed = new System.IO.Compression.GZipStream(File.OpenRead(RepositoryPaths.Vocabulary!), System.IO.Compression.CompressionMode.Decompress))
        using (var file = File.Create(folder["vocabulary.txt"]))
            packed.CopyTo(file);
        var other = ClipTokenizer.Load(folder["vocabulary.txt"]);
        const string text = "A photo of a tower in front of a mountain, 3 caf\u00E9s";
        Assert.Equal(tokenizer.Encode(text), other.Encode(text));
    }

    [Fact]
    public void DamagedReleaseIsRefused()
    {
        _ = Tokenizer;
        var bytes = File.ReadAllBytes(RepositoryPaths.Vocabulary!);
        using var folder = new TemporaryFolder();
        Refused(bytes[..(bytes.Length / 10)]);
        var flipped = (byte[])bytes.Clone();
        flipped[2000] ^= 0xFF;
        Refused(flipped);

        void Refused(byte[] damaged)
        {
            var path = folder.Write("damaged.gz", damaged);
            var error = Assert.Throws<DataException>(() => ClipTokenizer.Load(path));
            Assert.Contains(path, error.Message);
            Assert.DoesNotContain('\n', error.Message);
        }
    }

    [Fact]
    public void AMegabyteOfOneLetterIsFast()
    {
        var tokenizer = Tokenizer;
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var ids = tokenizer.Encode(new string('a', 1 << 20));
        // A quadratic search would take hours; half a minute leaves room for a busy machine.
        Assert.True(watch.Elapsed.TotalSeconds < 30, $"took {watch.Elapsed}");
        Assert.InRange(ids.Count, 1, 1 << 20);
        Assert.Equal(new string('a', 1 << 20) + " ", tokenizer.Decode(ids));
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(i => i.GetInt32())];
}
